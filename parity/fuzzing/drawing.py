"""The case of a seed: 3 in 10 are graphs, the others chains."""

from __future__ import annotations

import random

from parity.fuzzing.cases import ChainCase, draw_chain
from parity.fuzzing.graph_cases import GraphCase
from parity.fuzzing.graph_drawing import draw_graph

Case = ChainCase | GraphCase
GRAPHS = 0.3


def draw(seed: int, backend: str = "tensorflow") -> Case:
    """Return the case of a seed; the same seed always gives the same case, but for what a backend gets wrong.

    Examples
    --------
    >>> draw(seed=3) == draw(seed=3)
    True
    >>> sum(isinstance(draw(seed), GraphCase) for seed in range(100))
    29
    """
    is_graph = random.Random(f"kind {seed}").random() < GRAPHS
    return (draw_graph if is_graph else draw_chain)(seed, backend)
