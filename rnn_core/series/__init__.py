"""Time series: from a table of measurements to a forecast that can be trusted.

    Windows, Scaler                      windows over a table, cut in time, scaled by what was trained on
    predict_ahead, forecast              many steps: a model on its own outputs
    Persistence, Seasonal, ...           what it must beat
    compare, backtest, errors, skill     how good it is, on the same rows for all
    autocorrelation, with_intervals      what its errors say
    pictures                             and how that looks (``from rnn_core.series import pictures``)

Examples
--------
>>> import numpy as np
>>> train, test = Windows(np.sin(np.arange(100) / 5), step=3).split(0.8)
>>> results = compare({b.name: b.fit(train) for b in baselines(period=31)}, test)
>>> errors(results).round(2)
predictor
persistence (last value)     0.15
mean of the window           0.30
linear autoregression        0.00
mean of the train targets    0.76
seasonal (31 rows ago)       0.06
Name: rmse, dtype: float64
"""

from rnn_core.series.baselines import (
    Baseline,
    LinearAutoregression,
    MovingAverage,
    Persistence,
    Seasonal,
    TrainMean,
    baselines,
)
from rnn_core.series.datasets import sunspots
from rnn_core.series.forecasting import forecast, predict_ahead, stateful_twin
from rnn_core.series.judging import backtest, compare, errors, mean_squared_error, score_table, skill
from rnn_core.series.residuals import autocorrelation, measured_coverage, with_intervals
from rnn_core.series.scaling import Scaler
from rnn_core.series.windows import LAYOUTS, Layout, Windows

__all__ = [
    "LAYOUTS",
    "Baseline",
    "Layout",
    "LinearAutoregression",
    "MovingAverage",
    "Persistence",
    "Scaler",
    "Seasonal",
    "TrainMean",
    "Windows",
    "autocorrelation",
    "backtest",
    "baselines",
    "compare",
    "errors",
    "forecast",
    "mean_squared_error",
    "measured_coverage",
    "predict_ahead",
    "score_table",
    "skill",
    "stateful_twin",
    "sunspots",
    "with_intervals",
]
