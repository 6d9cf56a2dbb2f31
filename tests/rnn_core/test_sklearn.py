"""RNNRegressor is a scikit-learn estimator: by scikit-learn's own checks, in its tools, and over a cluster."""

from __future__ import annotations

import os
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn", reason="the extra 'sklearn' is not installed")

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from rnn_core.layers import SimpleRNN
from rnn_core.random import next_seed
from rnn_core.series import Windows
from rnn_core.sklearn import RNNRegressor
from rnn_core.utils import set_random_seed

FAST = {"units": 8, "epochs": 30, "optimizer": "adam", "learning_rate": 0.01, "random_state": 0}


def sine(rows=160, step=6):
    windows = Windows(np.sin(np.arange(rows) / 3), step=step, layout="flat")
    return windows.inputs, windows.targets[:, 0]


@parametrize_with_checks(
    [
        RNNRegressor(),
        RNNRegressor(dense_units=(4,), epochs=200, batch_size=None, early_stopping=True),
    ],
    expected_failed_checks=lambda regressor: (
        # With early stopping, a row given twice moves the border between training and validation.
        {"check_sample_weight_equivalence_on_dense_data": "the last rows, not the last weights, validate"}
        if regressor.early_stopping
        else {}
    ),
)
def test_scikit_learns_own_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of scikit-learn about itself
        check(estimator)


def test_it_learns_a_sequence():
    x, y = sine()
    regressor = RNNRegressor(**{**FAST, "epochs": 80}).fit(x[:120], y[:120])
    assert regressor.score(x[120:], y[120:]) > 0.98
    assert regressor.predict(x).shape == y.shape
    assert len(regressor.history_["loss"]) == 80


def test_how_a_row_becomes_a_sequence():
    """Oldest first, all features of a time step together: as Windows has them."""
    table = np.random.default_rng(0).normal(size=(30, 2))
    flat, sequences = (Windows(table, step=3, targets=0, layout=layout) for layout in ("flat", "stepx1"))
    regressor = RNNRegressor(**FAST, step=3).fit(flat.inputs, flat.targets)
    assert regressor.model_.input_shape == (None, 3, 2)
    np.testing.assert_array_equal(regressor.predict(flat.inputs), regressor.model_.predict(sequences.inputs, verbose=0))
    for step, shape in ((None, (None, 6, 1)), (1, (None, 1, 6)), (6, (None, 6, 1))):
        assert RNNRegressor(**FAST, step=step).fit(flat.inputs, flat.targets).model_.input_shape == shape
    with pytest.raises(ValueError, match=r"a row of 6 numbers is no whole number of step=4 time steps"):
        RNNRegressor(step=4).fit(flat.inputs, flat.targets)


def test_several_outputs_and_their_shapes():
    x, y = sine()
    both = np.column_stack([y, -y])
    regressor = RNNRegressor(**FAST, dense_units=(5, 4)).fit(x, both)
    assert regressor.predict(x).shape == both.shape
    assert RNNRegressor(**FAST).fit(x, y[:, None]).predict(x).shape == (len(x), 1)
    assert [layer.units for layer in regressor.model_.layers] == [8, 5, 4, 2]
    assert isinstance(regressor.model_.layers[0], SimpleRNN)


def test_float32_stays_float32():
    x, y = sine()
    for dtype in ("float32", "float64"):
        regressor = RNNRegressor(**FAST).fit(x.astype(dtype), y)
        assert regressor.model_.dtype == dtype
        assert regressor.predict(x).dtype == dtype


def test_the_same_random_state_gives_the_same_bits_and_touches_no_other():
    x, y = sine()
    set_random_seed(5)
    expected = next_seed(), np.random.random()  # noqa: NPY002
    set_random_seed(5)
    first = RNNRegressor(**FAST).fit(x, y).predict(x)
    assert (next_seed(), np.random.random()) == expected  # noqa: NPY002
    np.testing.assert_array_equal(RNNRegressor(**FAST).fit(x, y).predict(x), first)
    assert (RNNRegressor(**{**FAST, "random_state": 1}).fit(x, y).predict(x) != first).any()
    assert (RNNRegressor(**{**FAST, "random_state": None}).fit(x, y).predict(x) != first).any()


def test_threads_do_not_disturb_each_other():
    x, y = sine()

    def predictions(seed):
        return RNNRegressor(**{**FAST, "random_state": seed}).fit(x, y).predict(x)

    alone = [predictions(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(predictions, range(4)))
    np.testing.assert_array_equal(together, alone)


def test_a_weight_of_two_is_a_row_given_twice_and_only_ratios_count():
    x, y = sine(rows=40)
    settings = {**FAST, "batch_size": None}
    weights = np.random.default_rng(0).integers(0, 3, len(x))
    weighted = RNNRegressor(**settings).fit(x, y, sample_weight=weights).predict(x)
    repeated = RNNRegressor(**settings).fit(np.repeat(x, weights, axis=0), np.repeat(y, weights)).predict(x)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)
    scaled = RNNRegressor(**settings).fit(x, y, sample_weight=1000 * weights).predict(x)
    np.testing.assert_allclose(weighted, scaled, rtol=1e-6)
    assert np.abs(weighted - RNNRegressor(**settings).fit(x, y).predict(x)).max() > 1e-4
    with pytest.raises(ValueError, match="at least one non-zero number"):
        RNNRegressor(**settings).fit(x, y, sample_weight=np.zeros(len(x)))


def test_early_stopping_goes_back_to_the_best_epoch_on_the_last_rows():
    x, y = sine()
    kept = round(0.1 * len(x))
    settings = {**FAST, "early_stopping": True, "patience": 3, "epochs": 300}
    regressor = RNNRegressor(**settings).fit(x, y)
    losses = regressor.history_["val_loss"]
    error = np.mean((regressor.predict(x[-kept:]) - y[-kept:]) ** 2)
    np.testing.assert_allclose(error, min(losses), rtol=1e-6)

    otherwise = y.copy()
    otherwise[-kept:] = 100
    regressor.fit(x, otherwise)
    assert np.abs(regressor.predict(x)).max() < 10  # what validates does not train

    otherwise[-kept:] = -y[-kept:]
    regressor.fit(x, otherwise)
    assert len(regressor.history_["val_loss"]) < 300  # better on the rest is worse on these: it stops
    with pytest.raises(ValueError, match=r"validation_fraction=0\.1 of 1 sample leaves none to train on"):
        RNNRegressor(early_stopping=True).fit(x[:1], y[:1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": 0}, "units must be an integer of at least 1, got 0"),
        ({"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"optimizer": "rmsprob"}, "rmsprop"),
        ({"loss": "mean_squared"}, "mean_squared"),
        ({"early_stopping": "yes"}, "early_stopping must be True or False, got 'yes'"),
        ({"early_stopping": True, "patience": -1}, "patience must be an integer of at least 0, got -1"),
        ({"early_stopping": True, "validation_fraction": 0}, "validation_fraction must be a number above 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RNNRegressor(**settings).fit(*sine(rows=20))


@pytest.mark.parametrize("units", [5, "16"])
def test_dense_units_are_a_sequence(units):
    with pytest.raises(TypeError, match="dense_units must be a sequence such as"):
        RNNRegressor(dense_units=units).fit(*sine(rows=20))


def test_pickles_and_clones():
    x, y = sine()
    regressor = RNNRegressor(**FAST).fit(x, y)
    again = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_array_equal(again.predict(x), regressor.predict(x))
    copied = clone(regressor)
    assert copied.get_params() == regressor.get_params()
    assert not hasattr(copied, "model_")


def test_an_optimizer_that_was_given_is_not_used_up():
    from rnn_core.optimizers import Adam

    x, y = sine()
    regressor = RNNRegressor(**{**FAST, "optimizer": Adam(0.01), "learning_rate": None})
    np.testing.assert_array_equal(regressor.fit(x, y).predict(x), regressor.fit(x, y).predict(x))
    np.testing.assert_array_equal(regressor.predict(x), RNNRegressor(**FAST).fit(x, y).predict(x))


def test_the_names_of_columns_are_kept_and_compared():
    x, y = sine()
    frame = pd.DataFrame(x, columns=[f"x(t-{lag})" for lag in range(6, 0, -1)])
    regressor = RNNRegressor(**FAST).fit(frame, y)
    assert list(regressor.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        regressor.predict(frame[frame.columns[::-1]])


def test_in_a_pipeline_with_time_series_split_and_grid_search():
    x, y = sine()
    x, y = 1000 + 50 * x, 1000 + 50 * y  # nothing learns this without scaling
    pipeline = make_pipeline(StandardScaler(), RNNRegressor(**FAST))
    regressor = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    assert cross_val_score(regressor, x, y, cv=TimeSeriesSplit(3)).min() > 0.8
    grid = {"regressor__rnnregressor__units": [1, 8], "regressor__rnnregressor__step": [1, None]}
    search = GridSearchCV(regressor, grid, cv=TimeSeriesSplit(2)).fit(x, y)
    assert search.best_params_["regressor__rnnregressor__units"] == 8
    assert search.best_score_ > 0.8


def test_a_grid_search_over_a_dask_cluster_finds_what_one_process_finds():
    pytest.importorskip("dask.distributed", reason="dask is not installed")
    from dask.distributed import Client, LocalCluster
    from joblib import parallel_backend

    def process(estimator, x, y):  # inside, so that it travels by value: a worker cannot import this file
        """Where a fit is judged."""
        return os.getpid()

    x, y = sine()
    scoring = {"r2": "r2", "process": process}
    search = GridSearchCV(
        RNNRegressor(**FAST), {"units": [2, 4, 8]}, scoring=scoring, refit="r2", cv=TimeSeriesSplit(2)
    )
    alone = clone(search).fit(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own, about its cluster
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
            Client(cluster) as client,
            parallel_backend("dask"),
        ):
            workers = set(client.run(os.getpid).values())
            search.fit(x, y)
    ran_in = {int(pid) for split in range(2) for pid in search.cv_results_[f"split{split}_test_process"]}
    assert ran_in
    assert ran_in <= workers
    assert os.getpid() not in workers
    np.testing.assert_array_equal(search.cv_results_["mean_test_r2"], alone.cv_results_["mean_test_r2"])
    np.testing.assert_array_equal(search.predict(x), alone.predict(x))
