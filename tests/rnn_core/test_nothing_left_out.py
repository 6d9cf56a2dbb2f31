"""Whatever the engine has is held against live Keras: the cases of the other tests name all of it, each argument too.

A loss, metric, schedule, ... that is added fails here until the tests beside it have a case.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hypothesis import given, settings

from rnn_core import (
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from rnn_core.optimizers import schedules

from . import (
    test_activations,
    test_constraints,
    test_initializers,
    test_losses,
    test_losses_any_settings,
    test_metrics,
    test_metrics_any_settings,
    test_regularizers,
)
from .covered import left_out, public_classes
from .engine.test_any_settings import CALLBACKS
from .layers import (
    test_any_settings,
    test_embedding,
    test_jordan,
    test_merging,
    test_other_layers,
    test_reshaping,
    test_rnn,
    test_wrappers,
)
from .optimizers import any_settings, test_schedules

EVERYWHERE = {"name", "dtype", "reduction"}
RANDOM = {"seed", "input_axes", "output_axes"}  # Glorot, He and Lecun are VarianceScaling, which has the axes


def pairs(cases):
    return [(name, options) for name, options, *_ in cases]


@pytest.mark.parametrize(
    ("module", "base", "cases", "aside"),
    [
        (losses, losses.Loss, pairs(test_losses.CASES + test_losses_any_settings.AXES), set()),
        (
            metrics,
            metrics.Metric,
            pairs(
                test_metrics.CASES
                + test_metrics.FLAT_CASES
                + test_metrics.COUNTS
                + test_metrics_any_settings.MORE
                + [("Mean", {}, ""), ("Sum", {}, "")]  # test_mean_and_sum_of_values
            ),
            {
                "MeanMetricWrapper",
                "AUC.multi_label",  # refused
                "AUC.num_labels",
                "AUC.label_weights",
                "AUC.from_logits",  # test_area_under_the_curve_from_logits
                "SparseCategoricalCrossentropy.ignore_class",  # test_ignored_classes_do_not_count: Keras counts them
            },
        ),
        (initializers, initializers.Initializer, test_initializers.RANDOM + test_initializers.FIXED, RANDOM),
        (regularizers, regularizers.Regularizer, test_regularizers.CASES, set()),
        (constraints, constraints.Constraint, test_constraints.CASES, set()),
    ],
    ids=["losses", "metrics", "initializers", "regularizers", "constraints"],
)
def test_every_class_and_argument_has_a_case(module, base, cases, aside):
    classes = [c for c in public_classes(module, base) if c.__name__ not in aside]
    assert classes
    assert left_out(classes, cases, EVERYWHERE | aside) == set()


def test_every_activation_and_argument_has_a_case():
    cases = [(type(a).__name__, changed(a)) for a in test_activations.CASES.values()]
    assert left_out(activations.CLASSES.values(), cases, set()) == set()


def changed(activation):
    """Return the arguments that are not at their defaults."""
    defaults = inspect.signature(type(activation)).parameters
    return {name: value for name, value in activation.get_config().items() if value != defaults[name].default}


def test_every_schedule_is_drawn():
    assert {c.__name__ for c in public_classes(schedules, schedules.LearningRateSchedule)} == set(
        test_schedules.ARGUMENTS
    )


@pytest.mark.parametrize("cls", public_classes(optimizers, optimizers.Optimizer), ids=lambda cls: cls.__name__)
def test_every_setting_of_an_optimizer_is_drawn(cls):
    """By test_every_combination_of_settings_agrees_with_keras, over its examples."""
    refused = {"gradient_accumulation_steps", "loss_scale_factor"}
    drawn = {"name", "learning_rate", "weight_decay", *refused}
    for strategy in (any_settings.OWN[cls], any_settings.CLIPS, any_settings.AVERAGES):
        for options in find_all(strategy):
            drawn |= set(options)
    assert set(cls().get_config()) <= drawn


def find_all(strategy):
    """Return some of what a strategy of dicts draws."""
    seen = []

    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(strategy)
    def note(options):
        seen.append(options)

    note()
    return seen


@pytest.mark.parametrize("kind", ["Dense", "SimpleRNN", "SimpleRNNCell"])
def test_every_argument_of_a_layer_is_drawn(kind):
    arguments = {name for name in inspect.signature(getattr(layers, kind)).parameters if name != "kwargs"}
    elsewhere = {"seed", "kernel_initializer", "recurrent_initializer", "bias_initializer"}
    assert arguments - elsewhere == set(test_any_settings.ARGUMENTS[kind])


BESIDE_KERAS = {  # the test of each layer that live Keras takes part in
    test_any_settings.test_a_dense_layer_with_any_settings_is_keras: ["Dense"],
    test_any_settings.test_a_recurrent_layer_with_any_settings_is_keras: ["SimpleRNN"],
    test_any_settings.test_a_cell_with_any_settings_is_keras: ["SimpleRNNCell"],
    test_other_layers.test_activation_and_its_gradient_are_keras: ["Activation"],
    test_other_layers.test_dropout_without_chance_is_keras: ["Dropout"],
    test_other_layers.test_masking_is_keras: ["Masking"],
    test_merging.test_a_model_takes_one_step_as_keras_and_a_shared_layer_adds_up: [
        *test_merging.ELEMENTWISE,
        "Concatenate",
    ],
    test_embedding.test_a_model_and_its_step_are_keras_s: ["Embedding"],
    test_reshaping.test_reshape: ["Reshape"],
    test_reshaping.test_flatten: ["Flatten"],
    test_reshaping.test_repeat_vector: ["RepeatVector"],
    test_reshaping.test_pooling: ["GlobalAveragePooling1D", "GlobalMaxPooling1D"],
    test_wrappers.test_time_distributed_as_keras: ["TimeDistributed"],
    test_wrappers.test_bidirectional_as_keras: ["Bidirectional"],
    test_rnn.test_outputs_and_gradients_are_keras: ["RNN", "StackedRNNCells"],
    test_jordan.test_outputs_and_gradients_are_those_of_a_keras_cell: ["JordanCell", "JordanRNN"],
}


def test_every_layer_has_a_test_beside_keras():
    named = [name for names in BESIDE_KERAS.values() for name in names]
    nothing_computed = {"Cell", "InputLayer"}
    assert {c.__name__ for c in public_classes(layers, layers.Layer)} - nothing_computed == set(named)
    for test, names in BESIDE_KERAS.items():
        text = Path(inspect.getsourcefile(inspect.unwrap(test))).read_text(encoding="utf-8")
        assert "keras" in text
        for name in names:
            assert name in text


def test_every_callback_that_changes_the_training_trains_beside_keras():
    watching = {
        "CSVLogger",
        "CallbackList",
        "History",
        "LambdaCallback",
        "ModelCheckpoint",
        "MonitorCallback",
        "ProgbarLogger",
    }
    names = {c.__name__ for c in public_classes(callbacks, callbacks.Callback)}
    assert names - watching == set(CALLBACKS)
