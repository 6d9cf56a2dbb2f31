"""Chains as cases for the check: a model, its data and how it is compiled, drawn from a seed.

A :class:`ChainCase` is plain data. Its :meth:`~ChainCase.script` is Python that anybody can run, and that is also what
:meth:`ChainCase.build` executes: what is tested and what is printed cannot differ::

    seed --draw--> case --script--> text --build--> model, x, y, sample_weight, mask, initial_state

Graphs are cases of the same kind: graph_cases.py. What is Keras' own fault, and so never drawn in either:

- sparsemax: Keras 3.15 computes another function.
- glu in layers: halves the units, which Keras' layers do not expect.
- softmax before BinaryCrossentropy or BinaryFocalCrossentropy: on TensorFlow its logits are taken for sigmoid's.
- softmax before CategoricalCrossentropy with targets that do not sum to exactly 1: TensorFlow's gradient assumes it.
  So targets are one-hot, and there is no label smoothing.
- probabilities under 1e-7 in a cross-entropy, which its formula clips, where one side clips and the other goes back to
  the logits: Keras on JAX and torch never does, on TensorFlow as long as the last operation is the activation, and the
  engine where :mod:`rnn_core.engine.logits` says. So what makes them is bounded, but where both go back. In focal
  losses it always is: 1 - p of a probability near 1 has no digits, and they are made of it.
- OrthogonalRegularizer: its float32 factor fails in a float64 model.
- activity_regularizer of SimpleRNN: its constructor drops it.
- a masked first step with an initial state that is not zero: TensorFlow puts out zeros, not the state.
- unroll, go_backwards and zero_output_for_mask together: TensorFlow takes the mask unreversed.
- celu of exactly 0: TensorFlow's derivative there is 2, not 1. So celu has a bias that nothing sets to 0.
- elu, selu of values near 0: TensorFlow's exp(x) - 1 is off by up to 140 eps at 0.001. So they have a bias too.
- a stack of one cell, with a mask: TensorFlow takes its state for a list. So one cell is not put in a stack.
- unroll with zero_output_for_mask on JAX, where it is ignored, and with go_backwards on torch, where it fails.
- Reshape on JAX: where it leaves the shape as it is, the mask goes on.
- hard_sigmoid and celu on torch, where their constants are float32 numbers; softplus there, linear above 20.
- GlobalAveragePooling1D of a sample that is masked throughout: 0 / 0.
- tanh_shrink: its derivative tanh(x)**2 is 1 - (1 - tanh(x)**2) in Keras, without correct digits for a small x.

What is nobody's: a gradient that is 0 in exact arithmetic. What either engine has in its place is rounding alone.

- softmax, log_softmax and CosineSimilarity of one unit are constant.
- CosineSimilarity where one output is not 0, or where all outputs are multiples of one vector, as without a bias
  behind one unit: the direction is constant. So its last layer has a bias, and an activation that is seldom 0.
- L1 as activity_regularizer of softmax: the sum is 1. With all targets ignored nothing else is left.
- MeanAbsoluteError, Huber, Hinge and CategoricalHinge have gradients of 1/N and -1/N, and their sum in a bias may be
  nothing at all. In float32, where no noise is measured, the samples have weights (each step, in sequences).
- clipvalue in float32: a slot then has errors of the largest gradient beside values of the clipped ones, and the rule
  of float32 counts in eps of its values. So these cases are of float64, where the noise is clipped likewise.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from parity.checking.run import STAGES
from parity.fuzzing.as_python import executed, layer_as_python, object_as_python, script_of
from parity.fuzzing.case_compiled import (
    TARGETS,
    WEIGHTS,
    bounded_before,
    draw_loss,
    draw_optimizer,
    draw_sample_weight,
    last_layer_for,
)
from parity.fuzzing.case_layers import (
    LARGEST,
    Config,
    Named,
    any_layer,
    batch_and_timesteps,
    simple_rnn,
    widened,
    without_faults,
)
from rnn_core.models import Sequential


class ChainCase(NamedTuple):
    """A chain of layers, its data and how it is compiled: numbers, strings, lists and dicts, as JSON has them.

    Attributes
    ----------
    seed : int
        Of weights and data.
    dtype : {"float64", "float32"}
    batch, timesteps, features : int
    layers : list of (class, arguments)
        Their names are ``layer_0``, ``layer_1``, ...
    loss, optimizer : (class, arguments)
    targets : {"real", "positive", "binary", "one-hot", "class", "distribution"}
    sample_weight : {"", "sample", "column", "step"}
        One weight a sample, the same as a column, which sequences need, or one a step.
    mask : bool
        Whether the first layer gets a mask.
    keep_ends : bool
        Whether first and last step are never masked.
    states : list of str
        The layers that get an initial state.
    steps : int
        Training steps before the check, so that the optimizer has a past.

    Examples
    --------
    >>> case = draw_chain(seed=3)
    >>> case == ChainCase(**case.to_dict()), draw_chain(seed=3) == case
    (True, True)
    """

    seed: int
    dtype: str
    batch: int
    timesteps: int
    features: int
    layers: list[Named]
    loss: Named
    targets: str
    optimizer: Named
    sample_weight: str
    mask: bool
    keep_ends: bool
    states: list[str]
    steps: int

    def to_dict(self) -> Config:
        """Return the fields."""
        return self._asdict()

    def script(self, dtypes: Sequence[str] = ("float64", "float32"), draws: int = STAGES[-1]) -> str:
        """Return a Python script that builds the case, checks it as told and prints the report."""
        return script_of(self._body(), "Sequential, layers", dtypes, draws)

    def build(self) -> tuple[Sequential, dict[str, Any]]:
        """Return the model and the data for :func:`parity.check`, by the names of its arguments."""
        return executed(self._body(), self.seed)

    def _body(self) -> str:
        words = next((given["input_dim"] for name, given in self.layers if name == "Embedding"), 0)
        steps = f"({self.batch}, {self.timesteps})"
        shape = steps if words else f"{steps[:-1]}, {self.features})"
        kind, numbers = (
            ('"int32"', f"integers(1, {words}, {shape})") if words else ("dtype", f"standard_normal({shape})")
        )
        stack = [f"    {layer_as_python(named)}," for named in self.layers]
        lines = [
            f'dtype, draws = "{self.dtype}", np.random.default_rng({self.seed})',
            f"model = Sequential([\n    layers.Input(batch_shape={shape}, dtype={kind}),",
            *stack,
            "])",
            "model.vector[...] = 0.5 * draws.standard_normal(model.vector.size)",
            f"model.compile({object_as_python(self.optimizer)}, {object_as_python(self.loss)})",
            f"x, outputs = draws.{numbers}, model.output_shape",
            f"y = {TARGETS[self.targets].format(shape='outputs')}",
            f"real_steps = draws.random({steps}) < 0.7",
            *(["real_steps[:, [0, -1]] = True"] if self.keep_ends else []),
            f"mask = {'real_steps' if self.mask else None}",
        ]
        for name, given in self.layers:
            if name == "Masking" or given.get("mask_zero"):
                lines.append(f"x[~real_steps] = {given.get('mask_value', 0)}")
        shape = self.sample_weight and WEIGHTS[self.sample_weight].format(shape="outputs")
        weights = f"draws.random({shape})" if shape else None
        lines.append(f"sample_weight = {weights}")
        units = {given["name"]: given["units"] for name, given in self.layers if name == "SimpleRNN"}
        states = [f'"{n}": draws.standard_normal(({self.batch}, {units[n]}))' for n in self.states if n in units]
        lines.append(f"initial_state = {{{', '.join(states)}}}" if states else "initial_state = None")
        if self.steps:
            lines.append(f"for _ in range({self.steps}):\n    model.train_on_batch(x, y, sample_weight)")
        return "\n".join(lines)


def draw_chain(seed: int, backend: str = "tensorflow") -> ChainCase:
    """Return the chain of a seed; the same seed always gives the same case, but for what a backend gets wrong.

    Examples
    --------
    >>> model, data = draw_chain(seed=3).build()
    >>> len(data["x"]) == len(data["y"]), model.compiled
    (True, True)
    """
    r = random.Random(seed)
    loss = draw_loss(r)
    sequences = r.random() < 0.4
    masking = r.random() < 0.3
    mask = r.random() < 0.3
    stack: list[Named] = [("Masking", {"mask_value": r.choice([0.0, 0.25])})] if masking else []
    recurrent = r.choice([1, 1, 1, 2, 2, 3])
    for i in range(recurrent):
        stack += [any_layer(r, 3)] if r.random() < 0.2 else []
        stack.append(simple_rnn(r, sequences or i < recurrent - 1))
    stack += [any_layer(r, 3 if sequences else 2)] if r.random() < 0.4 else []
    stack.append(last_layer_for(r, loss))
    if r.random() < 0.5:
        stack = [layer for layer in widened(r, stack) if layer[0] != "Reshape" or backend != "jax"]
    stack[-1:-1] = bounded_before(r, stack[-1], loss.loss, backend)
    stack = [(name, {"name": f"layer_{i}", **without_faults(given, backend)}) for i, (name, given) in enumerate(stack)]
    names = [given["name"] for name, given in stack if name == "SimpleRNN"]
    states = [name for name in names if r.random() < 0.6] if r.random() < 0.3 else []
    kinds, stateful = {name for name, _ in stack}, any(given.get("stateful") for _, given in stack)
    optimizer, dtype = draw_optimizer(r)
    batch, timesteps = batch_and_timesteps(r, seed)
    return ChainCase(
        seed=seed,
        dtype=dtype,
        batch=batch,
        timesteps=timesteps,
        features=r.randint(1, LARGEST["features"]),
        layers=list(stack),
        loss=loss.loss,
        targets=loss.targets,
        optimizer=optimizer,
        sample_weight=draw_sample_weight(r, loss.loss, dtype, sequences),
        mask=mask and "Embedding" not in kinds,
        keep_ends=stateful or bool(states) or r.random() < 0.3 or "GlobalAveragePooling1D" in kinds,
        states=states,
        steps=r.choice([0, 1, 2]),
    )
