"""Time series in and out: windows, baselines and the table that scores them.

Examples
--------
>>> import numpy as np
>>> train = make_windows(np.arange(6.0), step=2)
>>> fitted = [baseline.fit(train.inputs, train.targets) for baseline in baselines()]
>>> [round(float(mean_squared_error(train.targets, b.predict(train.inputs))), 12) for b in fitted]
[1.0, 2.25, 0.0, 1.25]
"""

from rnn_core.series.baselines import (
    Baseline,
    LinearAutoregression,
    Persistence,
    TrainMean,
    WindowMean,
    baselines,
    mean_squared_error,
    score_table,
)
from rnn_core.series.windows import LAYOUTS, Layout, Windows, arrange, make_windows

__all__ = [
    "LAYOUTS",
    "Baseline",
    "Layout",
    "LinearAutoregression",
    "Persistence",
    "TrainMean",
    "WindowMean",
    "Windows",
    "arrange",
    "baselines",
    "make_windows",
    "mean_squared_error",
    "score_table",
]
