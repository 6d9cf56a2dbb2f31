"""A series that comes with the package: the yearly sunspot numbers, on which forecasts are tried since Yule (1927)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SUNSPOTS_VARIANCE = 1496.0
"""Of 1700-1979: what squared errors are divided by in the literature."""


def sunspots() -> pd.Series[float]:
    """Return the yearly mean sunspot numbers, 1700-2008, the original series before the revision of 2015.

    Public domain, NOAA National Geophysical Data Center. Since Weigend, Huberman and Rumelhart (1990), forecasts are
    trained on the years up to 1920 and tested on 1921-1955 and 1956-1979, with errors divided by the variance of
    1700-1979.

    Examples
    --------
    A linear autoregression over 12 years:

    >>> from rnn_core.series import LinearAutoregression, Windows, compare, errors
    >>> from rnn_core.series.datasets import SUNSPOTS_VARIANCE, sunspots
    >>> train, test, later, _ = Windows(sunspots(), step=12).split(1921, 1956, 1980)
    >>> line = {"AR(12)": LinearAutoregression().fit(train)}
    >>> squared = [errors(compare(line, part), metric="mse")["AR(12)"] for part in (test, later)]
    >>> [round(float(error) / SUNSPOTS_VARIANCE, 3) for error in squared]
    [0.13, 0.368]
    """
    from importlib import resources

    import pandas as pd

    with resources.files("rnn_core.series").joinpath("data/sunspots.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, index_col="year")["sunspots"]
