"""The tutorial as a distribution: many seeds in both engines, each with its own initial weights and shuffles.

Lockstep shows that both engines take the same steps. This shows that what chance has a part in is drawn alike:
initializers and shuffles are our own here and Keras' own there, and the final losses must be two samples of one
distribution.

The test is by permutation: under the hypothesis that the engine makes no difference, every split of the 2 n results
into two groups of n was equally likely. So shuffle the engine's name over the results many times, and count::

    p = (1 + number of shuffles whose statistic is at least the observed one) / (1 + number of shuffles)

with two statistics, for where the losses lie and how far they spread; a and b are the two groups::

    mean     |mean(a) - mean(b)|
    spread   |log(s(a) / s(b))|        s: standard deviation

If the engines draw from one distribution, whatever its shape, p is under a level as often as the level says: that
is all the test assumes. (A network whose ReLUs die now and then is an outlier that would upset a t or an F test.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity.backend import floatx, require_keras, to_numpy
from rnn_core.checks import positive_int
from rnn_core.random import set_random_seed
from rnn_core.series import Layout, arrange
from rnn_core.tutorial import Tutorial, build_model

Array = NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""

FALSE_ALARMS = 0.01  # over all tests together, if the engines are alike
SHUFFLES = 20_000
FEWEST_SEEDS = 7  # 2 of the (14 over 7) splits are extreme: p = 0.0006. With 5 seeds it is 0.008, over the level


class TwoSampleTest(NamedTuple):
    """A permutation test of two samples.

    Attributes
    ----------
    statistic : float
        Observed.
    p : float
        How often chance alone gives as much or more.
    detectable : float
        What the statistic must exceed for p to fall under the level: smaller differences go unseen.
    """

    statistic: float
    p: float
    detectable: float


class Distribution:
    """The final losses of many seeds in both engines.

    Attributes
    ----------
    losses : dict of str to dict of str to ndarray, shape (seeds,)
        ``losses["train loss"]["ours"]``, and "keras"; also "test loss".
    tests : dict of str to dict of str to TwoSampleTest
        ``tests["train loss"]["mean"]``, and "spread".
    level : float
        No p may be under it: 1% shared out over all tests.
    """

    def __init__(self, title: str, losses: Mapping[str, Mapping[str, Array]]) -> None:
        self.title = title
        self.losses = {name: dict(sides) for name, sides in losses.items()}
        self.level = FALSE_ALARMS / (2 * len(self.losses))
        self.tests = {
            name: two_sample_tests(sides["ours"], sides["keras"], self.level) for name, sides in self.losses.items()
        }

    @property
    def holds(self) -> bool:
        """Whether no test tells the engines apart."""
        return all(test.p >= self.level for tests in self.tests.values() for test in tests.values())

    def as_dict(self) -> dict[str, Any]:
        """Return all figures, as JSON has them."""
        return {
            "title": self.title,
            "holds": self.holds,
            "level": self.level,
            "losses": {name: {side: values.tolist() for side, values in s.items()} for name, s in self.losses.items()},
            "tests": {name: {k: test._asdict() for k, test in tests.items()} for name, tests in self.tests.items()},
        }

    def __str__(self) -> str:
        lines = [f"{self.title}: {'holds' if self.holds else 'FAILS'}"]
        for name, sides in self.losses.items():
            for side, values in sides.items():
                lines.append(
                    f"  {name}, {'here' if side == 'ours' else 'Keras':5}  mean {values.mean():.4f}  "
                    f"spread {values.std(ddof=1):.4f}  smallest {values.min():.4f}  largest {values.max():.4f}"
                )
            mean, spread = self.tests[name]["mean"], self.tests[name]["spread"]
            lines += [
                f"    means differ by {mean.statistic:.4f}, p = {mean.p:.3f} "
                f"(more than {mean.detectable:.4f} would be noticed)",
                f"    spreads differ by a factor of {np.exp(spread.statistic):.2f}, p = {spread.p:.3f} "
                f"(more than {np.exp(spread.detectable):.2f} would be noticed)",
            ]
        lines.append(f"  noticed is what has p under {self.level:.4f}: {FALSE_ALARMS:.0%} shared out over all tests")
        return "\n".join(lines)


def distribution(
    seeds: int = 20,
    layout: Layout = "1xstep",
    dtype: str = "float32",
    epochs: int = 100,
    series_seed: int = 0,
    progress: Progress | None = None,
) -> Distribution:
    """Train the tutorial's network with `seeds` seeds in both engines, on one series.

    One series, because between series the noise's luck makes the losses differ more than all else.

    Parameters
    ----------
    seeds : int
        How many, from 0 on; at least 7. With too few, no result whatever could have p under the level.
    layout : {"1xstep", "stepx1"}
    dtype : {"float32", "float64"}
    epochs : int
    series_seed : int
        Of the series' noise.
    progress : callable, optional
        ``progress(fits done, fits in all)``, after each fit.
    """
    if positive_int("distribution", "seeds", seeds) < FEWEST_SEEDS:
        raise ValueError(f"distribution: with {seeds} seeds no difference could be told; give at least {FEWEST_SEEDS}.")
    require_keras()
    task = Tutorial(series_seed, layout=layout, dtype=dtype)
    parts = [
        (arrange(windows.inputs, layout).astype(dtype), windows.targets.astype(dtype)[:, None])
        for windows in (task.train, task.test)
    ]
    fits = {"ours": _fit_ours, "keras": _fit_keras}
    found: dict[str, list[tuple[float, ...]]] = {side: [] for side in fits}
    for seed in range(seeds):
        for side, fit in fits.items():
            found[side].append(fit(seed, dtype, epochs, parts))
            if progress is not None:
                progress(sum(map(len, found.values())), 2 * seeds)
    columns = {side: np.array(rows) for side, rows in found.items()}
    title = f"{seeds} seeds, {epochs} epochs, (800, {task.timesteps}, {task.features}), {dtype}"
    names = ("train loss", "test loss")
    return Distribution(title, {name: {s: columns[s][:, i] for s in columns} for i, name in enumerate(names)})


def _fit_ours(seed: int, dtype: str, epochs: int, parts: list[tuple[Array, Array]]) -> tuple[float, ...]:
    """Return the final loss on each part, of a model made and trained here."""
    set_random_seed(seed)
    (x, y), _ = parts
    model = build_model(x.shape[1], x.shape[2], dtype)
    model.fit(x, y, batch_size=16, epochs=epochs, verbose=0)
    return tuple(_mean_square(model.predict(x, verbose=0), y) for x, y in parts)


def _fit_keras(seed: int, dtype: str, epochs: int, parts: list[tuple[Array, Array]]) -> tuple[float, ...]:
    """The same, made and trained by Keras alone: its initializers, its shuffles."""
    require_keras().utils.set_random_seed(seed)
    (x, y), _ = parts
    with floatx(dtype):
        model = build_keras_model(x.shape[1], x.shape[2], dtype)
        model.fit(x, y, batch_size=16, epochs=epochs, verbose=0)
        return tuple(_mean_square(to_numpy(model(x, training=False)), y) for x, y in parts)


def build_keras_model(timesteps: int, features: int, dtype: str = "float32") -> Any:
    """Return the tutorial's network as its reader would write it in Keras, compiled; not converted from ours."""
    keras = require_keras()
    model = keras.Sequential(
        [
            keras.Input((timesteps, features), dtype=dtype),
            keras.layers.SimpleRNN(32, activation="relu", dtype=dtype),
            keras.layers.Dense(8, activation="relu", dtype=dtype),
            keras.layers.Dense(1, dtype=dtype),
        ]
    )
    model.compile(loss="mean_squared_error", optimizer="rmsprop")
    return model


def _mean_square(predicted: Array, y: Array) -> float:
    return float(np.mean(np.square(predicted.astype("float64") - y)))


def two_sample_tests(
    a: Array, b: Array, level: float, shuffles: int = SHUFFLES, seed: int = 0
) -> dict[str, TwoSampleTest]:
    """Return the permutation tests of the means and of the spreads of two samples.

    Parameters
    ----------
    a, b : ndarray, shape (n,) and (m,)
    level : float
        For ``TwoSampleTest.detectable``.
    shuffles : int
    seed : int
        Of the shuffles.

    Examples
    --------
    >>> tests = two_sample_tests(np.arange(10.0), np.arange(10.0) + 20, level=0.01)
    >>> tests["mean"].statistic, tests["mean"].p < 0.001, tests["spread"].p
    (20.0, True, 1.0)
    """

    def tested(statistic: Callable[[Array, Array], Array], a: Array, b: Array) -> TwoSampleTest:
        values, split = np.concatenate([a, b]), len(a)
        shuffled = np.random.default_rng(seed).permuted(np.tile(values, (shuffles, 1)), axis=1)  # (shuffles, n + m)
        observed = float(statistic(a, b))
        by_chance = statistic(shuffled[:, :split], shuffled[:, split:])
        # A shuffle that gives the observed groups again may round to a little less.
        p = (1 + int(np.sum(by_chance >= observed * (1 - 1e-9)))) / (1 + shuffles)
        return TwoSampleTest(observed, p, float(np.quantile(by_chance, 1 - level)))

    return {
        "mean": tested(_difference_of_means, a, b),
        # Around their own medians: shuffling values that are shifted apart would widen both groups alike.
        "spread": tested(_ratio_of_spreads, a - np.median(a), b - np.median(b)),
    }


def _difference_of_means(a: Array, b: Array) -> Array:
    return np.asarray(np.abs(a.mean(-1) - b.mean(-1)))


def _ratio_of_spreads(a: Array, b: Array) -> Array:
    """|log(s(a) / s(b))|, s the median distance from the median: one network whose units died is no spread."""
    tiny = np.finfo(float).tiny  # keeps equal samples without spread apart from a division by 0
    return np.asarray(np.abs(np.log((_spread(a) + tiny) / (_spread(b) + tiny))))


def _spread(x: Array) -> Array:
    return np.asarray(np.median(np.abs(x - np.median(x, axis=-1, keepdims=True)), axis=-1))
