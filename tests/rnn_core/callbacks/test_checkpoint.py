"""ModelCheckpoint saves when Keras' saves, and says what it cannot save."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.callbacks import ModelCheckpoint

from ..float64 import keras
from .pretended_fit import Model, fit, losses, modes, sixteenths


@given(
    st.lists(st.tuples(sixteenths, sixteenths), min_size=1, max_size=6),
    st.fixed_dictionaries(
        {"mode": modes, "verbose": st.integers(0, 1), "save_best_only": st.booleans()},
        optional={"initial_value_threshold": sixteenths, "save_freq": st.sampled_from(["epoch", 1, 2, 3, 7])},
    ),
    st.sampled_from(["w", "{epoch:02d}-{val_loss:.2f}", "{epoch}_{loss:.3f}"]),
)
@settings(max_examples=120, deadline=None)
def test_model_checkpoint_saves_when_keras_saves(values, options, name):
    by_batch = options.get("save_freq", "epoch") != "epoch"
    if by_batch:
        name += "-{batch}"

    def run(cls, suffix):
        callback = cls(name + suffix, save_weights_only=True, **options)
        if cls is not ModelCheckpoint:
            callback.set_model(Model())
            callback._set_monitor_op()  # Keras fails where it compares before the first epoch has ended
        logs = [{"loss": loss, "val_loss": val_loss} for loss, val_loss in values]
        model, _, text = fit(callback, logs, logs)
        return (
            [(path.removesuffix(suffix), w) for path, w in model.saved],
            text.replace(suffix, ""),
            callback.best,
        )

    assert run(ModelCheckpoint, ".npz") == run(keras.callbacks.ModelCheckpoint, ".weights.h5")


def test_model_checkpoint_makes_folders_and_takes_paths(tmp_path):
    path = tmp_path / "a" / "{epoch}" / "w.npz"
    model, _, _ = fit(ModelCheckpoint(path, save_weights_only=True), losses(1, 2))
    assert [saved for saved, _ in model.saved] == [str(tmp_path / "a" / n / "w.npz") for n in "12"]
    assert (tmp_path / "a" / "2").is_dir()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"filepath": "a.keras"}, "whole-model files are not supported; pass save_weights_only=True"),
        (
            {"filepath": "a.weights.h5", "save_weights_only": True},
            r"must end in '\.npz'.* got 'a\.weights\.h5'.*Keras' own",
        ),
        ({"filepath": "a.h5", "save_weights_only": True}, r"must end in '\.npz'"),
        ({"filepath": "a.keras", "save_weights_only": True}, r"must end in '\.npz'"),
        ({"filepath": "a", "save_weights_only": True}, r"must end in '\.npz'"),
        (
            {"filepath": "a.npz", "save_weights_only": True, "save_freq": "batch"},
            "must be 'epoch' or an integer",
        ),
        (
            {"filepath": "a.npz", "save_weights_only": True, "save_freq": 0},
            "save_freq must be an integer of at least 1",
        ),
        ({"filepath": "a.npz", "save_weights_only": True, "save_freq": 1.5}, "save_freq must be an integer"),
    ],
)
def test_model_checkpoint_refuses(options, match):
    with pytest.raises(ValueError, match=match):
        ModelCheckpoint(**options)


def test_model_checkpoint_names_what_the_path_may_hold():
    with pytest.raises(ValueError, match="names 'val_loss', known are epoch, loss"):
        fit(ModelCheckpoint("{val_loss}.npz", save_weights_only=True), losses(1))


def test_epochs_without_validation_are_no_checkpoint():
    callback = ModelCheckpoint("{val_loss}.npz", save_best_only=True, save_weights_only=True)
    callback.set_model(Model())
    callback.set_params({"validation_freq": [2, 4]})
    for epoch, logs in enumerate([{"loss": 1.0}, {"val_loss": 1.0}, {"loss": 1.0}, {"val_loss": 0.5}]):
        callback.on_epoch_end(epoch, logs)
    assert [path for path, _ in callback.model.saved] == ["1.0.npz", "0.5.npz"]
