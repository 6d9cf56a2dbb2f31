"""What came out of a contest: every forecast, and the scores made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

COMMITTEE = -1
"""The `network` that is the mean of all; the only one of a predictor that draws no random numbers."""


@dataclass
class Outcome:
    """What came out.

    Attributes
    ----------
    results : DataFrame
        Of :func:`compare`, with columns "span" (the test), "loop" ("one step", or "closed" for `horizon` rows on
        own outputs) and "network" (the seed, or :data:`COMMITTEE`).
    backtest : DataFrame
        Of :func:`backtest`, within the training rows, with a column "loop".
    divisor : float
        What squared errors are divided by.
    """

    results: pd.DataFrame
    backtest: pd.DataFrame
    divisor: float
    names: list[str]

    def scores(self, span: str, loop: str) -> pd.DataFrame:
        """Return each predictor's squared error / divisor on a test.

        Columns "mean" and "sd" over single networks (NaN where there are none), and "committee".
        """
        import pandas as pd

        part = self.results[(self.results["span"] == span) & (self.results["loop"] == loop)]
        error = (part["true"] - part["predicted"]) ** 2 / self.divisor
        each = error.groupby([part["predictor"], part["network"]]).mean().unstack("network")  # noqa: PD010
        single = each.drop(columns=COMMITTEE)
        scores = {"mean": single.mean(axis=1), "sd": single.std(axis=1, ddof=1), "committee": each[COMMITTEE]}
        return pd.DataFrame(scores).reindex(self.names)

    def backtest_scores(self, loop: str = "one step") -> pd.Series[float]:
        """Return each predictor's squared error / divisor over the rolling origin."""
        part = self.backtest[self.backtest["loop"] == loop]
        error = (part["true"] - part["predicted"]) ** 2 / self.divisor
        return error.groupby(part["predictor"]).mean().reindex(self.names)

    def best_network(self, candidates: Sequence[str]) -> str:
        """Return the candidate with the smallest one-step error over the rolling origin: no test row has a say."""
        return str(self.backtest_scores()[list(candidates)].idxmin())
