"""The tutorial as a distribution: many seeds in both engines, each with its own initial weights and shuffles.

Lockstep shows that both engines take the same steps. This shows that what chance has a part in is drawn alike:
initializers and shuffles are our own here and Keras' own there, and what comes out must be two samples of one
distribution: the size of the initial weights, how far training has moved the weights, and the final losses. Initial
weights need no training, so they are drawn 1,000 times in each engine, whatever the number of seeds that are trained.

The test is by permutation: under the hypothesis that the engine makes no difference, every split of the 2 n results
into two groups of n was equally likely. So shuffle the engine's name over the results many times, and count::

    p = (1 + number of shuffles whose statistic is at least the observed one) / (1 + number of shuffles)

with two statistics, for where the losses lie and how far they spread; a and b are the two groups::

    mean     |mean(a) - mean(b)|
    spread   |log(s(a) / s(b))|        s: median distance from the median

If the engines draw from one distribution, whatever its shape, p is under a level as often as the level says: that
is all the test assumes. (A network whose ReLUs die now and then is an outlier that would upset a t or an F test.)

What 20 seeds can tell was measured with a fault on one side of our own engine: 60 times 20 fits without it, of 300, and
20 with it, of 100. How often the means' test noticed (p < 0.001), in the layouts (800, 1, 4) and (800, 4, 1), with only
20 initial weights, too:

========================  ===========  ============
fault                     any measure  losses alone
========================  ===========  ============
none                      0%, 0%       0%, 0%
learning rate 0.0012      48%, 100%    5%, 22%
learning rate 0.0011      7%, 33%      0%, 0%
rho 0.95                  3%, 38%      2%, 0%
kernels times 1.3         100%, 100%   13%, 12%
kernels times 1.1         100%, 100%   0%, 3%
uniform recurrent kernel  100%, 100%   0%, 2%
biases begin at 0.1       78%, 100%    2%, 2%
no shuffling              37%, 98%     10%, 97%
batches of 17             18%, 50%     18%, 50%
========================  ===========  ============

So the losses of 20 seeds say little by themselves; a small fault in the step is for lockstep to find. The test of the
spreads notices gross faults only: 20 seeds must differ by a factor of 2 to 3.

Of the initial weights 1,000 models say more. Measured 20 times each: kernels times 1.01 were noticed in 100%, times
1.005 in 55%, times 1.003 in 10%, none in 0%. (Of 20 models each, seeds 0 to 19, the kernels of (800, 4, 1) differed:
0.2404 here, 0.2334 in Keras, p = 0.001. That was chance: these seeds of ours are among the 0.3% largest blocks of 20,
and of 1,000 models each it is 0.2359 and 0.2361, p = 0.52. Over 1,000,000 seeds the mean square of each of our kernels,
and its spread, is that of its formula to within 2.1 standard errors; neither layers nor neighbouring seeds are
correlated.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.backend import floatx, require_keras, to_numpy
from parity.lockstep.two_samples import TwoSampleTest, _spread, two_sample_tests
from rnn_core.checks import positive_int
from rnn_core.random import set_random_seed
from rnn_core.series import Layout
from rnn_core.tutorial import Tutorial, build_model

Array = NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""

INITIAL = ("initial kernels", "recurrent kernel")
TRAINED = ("weights moved", "train loss", "test loss")
INITIAL_DRAWS = 1_000
FALSE_ALARMS = 0.01  # over all tests together, if the engines are alike
FORGET = 50  # after so many models Keras drops its graphs
FEWEST_SEEDS = 7  # 2 of the (14 over 7) splits are extreme: p = 0.0006, under the level of 0.001; with 6 0.002


class Distribution:
    """What came out of many seeds in both engines.

    Attributes
    ----------
    figures : dict of str to dict of str to ndarray, shape (seeds,) or (1000,)
        ``figures["train loss"]["ours"]``, and "keras". Of 1,000 models that are not trained: "initial kernels", the
        root mean square of all kernels' elements; "recurrent kernel", its largest element. Of each seed: "weights
        moved", the Euclidean distance from the first weights to the last; the final "train loss" and "test loss".
    tests : dict of str to dict of str to TwoSampleTest
        ``tests["train loss"]["mean"]``, and "spread".
    level : float
        No p may be under it: 1% shared out over all tests.
    """

    def __init__(self, title: str, figures: Mapping[str, Mapping[str, Array]]) -> None:
        self.title = title
        self.figures = {name: dict(sides) for name, sides in figures.items()}
        self.level = FALSE_ALARMS / (2 * len(self.figures))
        self.tests = {
            name: two_sample_tests(sides["ours"], sides["keras"], self.level) for name, sides in self.figures.items()
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
            "figures": {n: {side: values.tolist() for side, values in s.items()} for n, s in self.figures.items()},
            "tests": {name: {k: test._asdict() for k, test in tests.items()} for name, tests in self.tests.items()},
        }

    def __str__(self) -> str:
        lines = [f"{self.title}: {'holds' if self.holds else 'FAILS'}"]
        lines.append(f"    {'':16} {'':6}{'here':>9}{'Keras':>9}{'differ by':>11}{'p':>8}{'noticed if over':>17}")
        for name, sides in self.figures.items():
            ours, keras = sides["ours"], sides["keras"]
            mean, spread = self.tests[name]["mean"], self.tests[name]["spread"]
            rows: tuple[tuple[str, float, float, TwoSampleTest, str, str], ...] = (
                ("mean", ours.mean(), keras.mean(), mean, f"{mean.statistic:.4f}", f"{mean.detectable:.4f}"),
                (
                    "spread",
                    float(_spread(ours)),
                    float(_spread(keras)),
                    spread,
                    f"x {np.exp(spread.statistic):.2f}",
                    f"x {np.exp(spread.detectable):.2f}",
                ),
            )
            for what, here, there, test, by, over in rows:
                mark = "ok" if test.p >= self.level else "BAD"
                title = name if what == "mean" else ""
                lines.append(f"{mark:4}{title:16} {what:6}{here:9.4f}{there:9.4f}{by:>11}{test.p:8.3f}{over:>17}")
        lines.append(f"  bad is what has p under {self.level:.4f}: {FALSE_ALARMS:.0%} shared out over all tests")
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
        How many are trained, from 0 on; at least 7. With too few, no result whatever could have p under the level.
    layout : {"1xstep", "stepx1"}
    dtype : {"float32", "float64"}
    epochs : int
    series_seed : int
        Of the series' noise.
    progress : callable, optional
        ``progress(models done, models in all)``, after each model that is made, and after each that is trained.
    """
    if positive_int("distribution", "seeds", seeds) < FEWEST_SEEDS:
        raise ValueError(f"distribution: with {seeds} seeds no difference could be told; give at least {FEWEST_SEEDS}.")
    require_keras()
    task = Tutorial(series_seed, layout=layout, dtype=dtype)
    parts = [(windows.inputs.astype(dtype), windows.targets.astype(dtype)) for windows in (task.train, task.test)]
    shape, total = (task.timesteps, task.features), 2 * (INITIAL_DRAWS + seeds)
    done = itertools.count(1)

    def many(measures: Callable[..., tuple[float, ...]], count: int, *given: Any) -> Array:
        rows = []
        for seed in range(count):
            rows.append(measures(seed, dtype, *given))
            if progress is not None:
                progress(next(done), total)
        return np.array(rows).T  # (measures, count)

    figures: dict[str, dict[str, Array]] = {name: {} for name in (*INITIAL, *TRAINED)}
    for side, (make, fit) in {"ours": (_make_ours, _fit_ours), "keras": (_make_keras, _fit_keras)}.items():

        def initial(seed: int, dtype: str, make: Callable[..., Any] = make) -> tuple[float, ...]:
            return _initial_measures(make(seed, dtype, *shape).get_weights())

        rows = [*many(initial, INITIAL_DRAWS), *many(fit, seeds, epochs, parts)]
        for name, values in zip(figures, rows, strict=True):
            figures[name][side] = values
    drawn = f"{seeds} seeds, {epochs} epochs, (800, {task.timesteps}, {task.features}), {dtype}"
    return Distribution(f"{drawn}; initial weights of {INITIAL_DRAWS:,} models", figures)


def _make_ours(seed: int, dtype: str, timesteps: int, features: int) -> Any:
    """Return the tutorial's model with the initial weights of a seed."""
    set_random_seed(seed)
    return build_model(timesteps, features, dtype)


def _make_keras(seed: int, dtype: str, timesteps: int, features: int) -> Any:
    """The same, made by Keras alone: its initializers."""
    keras = require_keras()
    if seed % FORGET == FORGET - 1:
        keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    with floatx(dtype):
        return build_keras_model(timesteps, features, dtype)


def _fit_ours(seed: int, dtype: str, epochs: int, parts: list[tuple[Array, Array]]) -> tuple[float, ...]:
    """Return the measures of a model made and trained here."""
    (x, y), _ = parts
    model = _make_ours(seed, dtype, *x.shape[1:])
    before = model.get_weights()
    model.fit(x, y, batch_size=16, epochs=epochs, verbose=0)
    losses = [_mean_square(model.predict(x, verbose=0), y) for x, y in parts]
    return (_moved(before, model.get_weights()), *losses)


def _fit_keras(seed: int, dtype: str, epochs: int, parts: list[tuple[Array, Array]]) -> tuple[float, ...]:
    """The same, made and trained by Keras alone: its initializers, its shuffles."""
    (x, y), _ = parts
    model = _make_keras(seed, dtype, *x.shape[1:])
    with floatx(dtype):
        before = model.get_weights()
        # On TensorFlow a seed gives every epoch, and every fit, the same order: so each epoch has a seed of its own.
        for epoch in range(epochs):
            require_keras().utils.set_random_seed(seed * epochs + epoch)
            model.fit(x, y, batch_size=16, epochs=1, verbose=0)
        losses = [_mean_square(to_numpy(model(x, training=False)), y) for x, y in parts]
        return (_moved(before, model.get_weights()), *losses)


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


def _initial_measures(weights: list[Array]) -> tuple[float, float]:
    """Return "initial kernels" and "recurrent kernel"; weights in the order of ``get_weights``."""
    kernel, recurrent_kernel, _, *dense = weights
    kernels = np.concatenate([w.ravel() for w in (kernel, *dense[::2])])
    return float(np.sqrt(np.mean(kernels**2))), float(np.abs(recurrent_kernel).max())


def _moved(before: list[Array], after: list[Array]) -> float:
    """Return "weights moved"."""
    moved = np.concatenate([(b - a).ravel() for a, b in zip(before, after, strict=True)])
    return float(np.linalg.norm(moved))


def _mean_square(predicted: Array, y: Array) -> float:
    return float(np.mean(np.square(predicted.astype("float64") - y)))
