"""What Keras has and this engine has not, refused by name: ``from rnn_core.layers import LSTM`` says why."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from inspect import getattr_static
from typing import Any, NoReturn

_KERAS_PARTS = {
    "applications": "the engine is made for sequences",
    "datasets": "data is loaded by its own library, such as keras.datasets or sklearn.datasets, and given as arrays",
    "device": "the engine runs on the CPU",
    "distillation": "the engine has no teacher models",
    "distribution": "parity.to_keras(model) goes on in Keras, on several machines",
    "dtype_policies": "dtype is 'float32' or 'float64'",
    "export": "parity.to_keras(model) can be exported by Keras",
    "legacy": "the engine follows Keras 3",
    "mixed_precision": "dtype is 'float32' or 'float64'",
    "name_scope": "layers are named by name=",
    "ops": "the arrays are NumPy's: numpy has the same functions under the same names",
    "quantizers": "the engine has no quantization",
    "remat": "the engine keeps what backward needs",
    "tree": "the engine takes lists and dicts of arrays as they are",
    "version": "rnn_core.__version__ says it",
    "visualization": "rnn_core.inspection draws",
    "wrappers": "rnn_core.sklearn.RNNRegressor is the estimator for scikit-learn",
}
"""Modules and functions of ``keras`` itself, and what there is in their place."""

_KERAS_FUNCTIONS = {
    "backend": (
        "abs argmax batch_dot binary_crossentropy cast concatenate constant ctc_decode dot equal eval exp expand_dims "
        "function get_session get_uid get_value gradients image_data_format in_train_phase is_keras_tensor "
        "learning_phase log max maximum mean min minimum ones permute_dimensions pow random_normal random_uniform "
        "relu repeat reshape result_type round set_epsilon set_image_data_format set_learning_phase set_session "
        "set_value shape sigmoid sign softmax sqrt square squeeze stack std sum tanh transpose variable zeros"
    ),
    "config": (
        "disable_flash_attention disable_interactive_logging disable_traceback_filtering dtype_policy "
        "enable_flash_attention enable_interactive_logging enable_traceback_filtering enable_unsafe_deserialization "
        "image_data_format is_flash_attention_enabled is_interactive_logging_enabled is_nnx_enabled "
        "is_traceback_filtering_enabled max_epochs max_steps_per_epoch set_backend set_dtype_policy set_epsilon "
        "set_image_data_format set_max_epochs set_max_steps_per_epoch"
    ),
    "random": "beta binomial categorical dropout gamma randint shuffle",
    "utils": (
        "array_to_img audio_dataset_from_directory bounding_boxes custom_object_scope deserialize_keras_object "
        "disable_interactive_logging enable_interactive_logging get_custom_objects get_file get_registered_name "
        "get_registered_object get_source_inputs img_to_array is_interactive_logging_enabled is_keras_tensor legacy "
        "load_img model_to_dot np_utils pack_x_y_sample_weight register_keras_serializable save_img "
        "serialize_keras_object split_dataset standardize_dtype unpack_x_y_sample_weight"
    ),
}
"""Functions of Keras, also of earlier versions, that those modules have not here."""

_INSTEAD = {
    "Tokenizer": "rnn_core.text encodes text character by character",
    "TimeseriesGenerator": "rnn_core.series.Windows cuts a series into windows",
    "np_utils": "to_categorical is in utils itself",
    "get_value": "optimizer.learning_rate is a number, weights are arrays",
    "set_value": "optimizer.learning_rate = ... sets it",
    "register_keras_serializable": "classes need not be registered, a config is read by the class itself",
    "ReLU": "Activation('relu'), or activation='relu' in a layer",
    "LeakyReLU": "Activation('leaky_relu'), or activation='leaky_relu' in a layer",
    "ELU": "Activation('elu'), or activation='elu' in a layer",
    "Softmax": "Activation('softmax'), or activation='softmax' in a layer",
    "Identity": "Activation('linear')",
    "Normalization": "rnn_core.series.Scaler brings inputs to one scale",
    "load_model": "model.load_weights(...) reads weights that save_weights wrote; a .keras file is read by Keras and "
    "taken over with parity.from_keras(keras.models.load_model(...))",
    "save_model": "model.save_weights(...) writes the weights; parity.to_keras(model).save(...) a .keras file",
    "model_from_json": "Sequential.from_config(json.loads(...)) makes a model from its config",
    "timeseries_dataset_from_array": "rnn_core.series.Windows cuts a series into windows",
    "text_dataset_from_directory": "rnn_core.text encodes text",
    "image_dataset_from_directory": "the engine is made for sequences",
    "normalize": "rnn_core.series.Scaler brings inputs to one scale",
}
"""What people look for that has another name here."""


_ATTRIBUTES: dict[str, dict[str, str]] = {
    "model": {
        "save": "model.save_weights(...) writes the weights; parity.to_keras(model).save(...) a .keras file",
        "export": "parity.to_keras(model).export(...) does it with Keras",
        "to_json": "json.dumps(model.get_config()) writes the layers, type(model).from_config reads them",
        "reset_states": "call layer.reset_state() of the stateful layers",
        "add_loss": "penalties are given to layers: kernel_regularizer=, activity_regularizer=",
        "add_metric": "metrics are given to compile",
        "add_weight": "weights belong to layers",
        "call": "model(x) calls it",
        "losses": "regularizer(weight) returns the penalty of one weight; fit and evaluate add all of them to the loss",
        "compute_loss": "model.test_on_batch(x, y) returns the loss, model.loss(y, y_pred) that without penalties",
        "train_step": "model.train_on_batch(x, y) takes a step",
        "test_step": "model.test_on_batch(x, y) returns what is measured",
        "predict_step": "model.predict_on_batch(x) predicts",
        "compute_metrics": "a metric object's update_state(y, y_pred) and result()",
        "fit_generator": "model.fit(x, y) takes arrays, memory maps and rnn_core.series.Windows",
        "evaluate_generator": "model.evaluate(x, y) takes arrays, memory maps and rnn_core.series.Windows",
        "predict_generator": "model.predict(x) takes arrays and memory maps",
        "predict_classes": "model.predict(x).argmax(axis=-1), or model.predict(x) > 0.5",
        "predict_proba": "model.predict(x)",
        "metrics": "model.metrics_names has their names, model.evaluate their values",
        "run_eagerly": "there is no graph, everything runs at once",
    },
    "layer": {
        "call": "layer(x) calls it",
        "add_loss": "penalties are given as kernel_regularizer= or activity_regularizer=",
        "losses": "regularizer(weight) returns the penalty",
        "compute_mask": "masks travel between layers by themselves; a trace shows them (rnn_core.inspection.trace)",
        "dtype_policy": "layer.dtype is what it computes in",
        "compute_dtype": "layer.dtype is what it computes in",
        "variable_dtype": "layer.dtype is what it computes in",
        "cell": "the layer has its weights itself: layer.kernel, layer.recurrent_kernel, layer.bias",
        "path": "layer.name",
        "supports_masking": "every layer here hands masks on or says so",
        "get_initial_state": "it is zero unless initial_state= is given",
    },
    "optimizer": {
        "lr": "optimizer.learning_rate",
        "apply_gradients": "model.fit and model.train_on_batch apply the optimizer to the model's own gradients",
        "apply": "model.fit and model.train_on_batch apply the optimizer to the model's own gradients",
        "minimize": "model.fit and model.train_on_batch minimize the model's loss",
        "get_weights": "optimizer.get_state()",
        "set_weights": "optimizer.set_state(...)",
        "update_step": "optimizer.step() updates all weights",
    },
    "metric": {
        "add_weight": "keep sums as attributes of your own, self.total = 0.0, and set them back in reset_state()",
        "add_variable": "keep sums as attributes of your own, self.total = 0.0, and set them back in reset_state()",
        "variables": "metric.result() is what it keeps",
        "reset_states": "metric.reset_state()",
    },
}
"""What Keras' objects have, or had in earlier versions, and those here have not; and what does the same."""

MODEL_STEPS = (
    "call",
    "compute_loss",
    "compute_metrics",
    "make_predict_function",
    "make_test_function",
    "make_train_function",
    "predict_step",
    "test_step",
    "train_step",
)
"""Methods that a subclass of Keras' Model overrides to compute otherwise. Nothing here would call them."""

_ARGUMENTS = {
    "autocast": "the engine casts nothing",
    "batch_input_shape": "start the model with Input(batch_shape=...)",
    "decay": "give learning_rate a schedule: optimizers.schedules.InverseTimeDecay(learning_rate, 1, decay)",
    "implementation": "there is one",
    "input_length": "start the model with Input(shape=...)",
    "lora_alpha": "the engine has no LoRA",
    "lora_rank": "the engine has no LoRA",
    "lr": "it is called learning_rate",
    "output_dim": "it is called units",
    "quantization_config": "the engine has no quantization",
    "ragged": "pad sequences to one length (utils.pad_sequences) and mask them",
    "time_major": "inputs are (batch, timesteps, features)",
    "weights": "build the layer and call set_weights",
}
"""Arguments of Keras, or of earlier versions, that are not taken here; and what to write."""


def refuse_arguments(owner: str, unknown: Mapping[str, Any]) -> None:
    """Raise TypeError for keyword arguments that nothing here knows; do nothing where there are none.

    Examples
    --------
    >>> refuse_arguments("Adam", {"lr": 0.1})
    Traceback (most recent call last):
        ...
    TypeError: Adam got arguments that it does not know: lr (it is called learning_rate).
    """
    if unknown:
        named = [f"{name} ({_ARGUMENTS[name]})" if name in _ARGUMENTS else name for name in sorted(unknown)]
        raise TypeError(f"{owner} got arguments that it does not know: {', '.join(named)}.")


def refuse_overriding(cls: type, names: Sequence[str], instead: str) -> None:
    """Raise TypeError for a class that defines what Keras would call and this engine would silently not.

    Its own classes, which define such methods for users to call, are let through.
    """
    found = [name for name in names if name in vars(cls)]
    if found and not cls.__module__.startswith("rnn_core."):
        raise TypeError(
            f"{cls.__name__} defines {', '.join(found)}, which Keras would call; nothing in rnn_core does: {instead}."
        )


class Missing:
    """An attribute that Keras' objects have or had and those here have not: who asks for it is told what does the same.

    One stands in the class for each such name. A ``__getattr__``, though asked for missing names only, would slow down
    every attribute that is there: Python has shortcuts for classes without one, and a small training step takes 5% less
    with them.
    """

    def __init__(self, name: str, instead: str) -> None:
        self.name, self.instead = name, instead

    def __get__(self, owner: Any, cls: type) -> NoReturn:
        text = f"{cls.__name__!r} object has no attribute {self.name!r}, which Keras has or had: here, {self.instead}."
        raise AttributeError(text, name=self.name, obj=owner)


class NamesWhatIsMissing:
    """The base of those whose missing attributes say what there is instead, ``class Layer(..., kind="layer")``."""

    def __init_subclass__(cls, kind: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, instead in _ATTRIBUTES.get(kind, {}).items():
            if not hasattr(cls, name):
                setattr(cls, name, Missing(name, instead))

    def __dir__(self) -> list[str]:
        """Leave out what would only say that it is missing."""
        own, cls = vars(self), type(self)
        return [
            name for name in super().__dir__() if name in own or type(getattr_static(cls, name, None)) is not Missing
        ]


def refuse_import(module: str, name: str, supported: Sequence[str]) -> NoReturn:
    """Raise for a name that a module does not have.

    Parameters
    ----------
    module : str
        Under ``rnn_core``; empty for the package itself.
    name : str
    supported : sequence of str
        What the module has.

    Raises
    ------
    ImportError
        For a class (a capital first), a part of Keras, and functions that have another name here: ``from ... import``
        would replace the message of an AttributeError by one of its own.
    AttributeError
        For anything else, so that ``hasattr`` works.
    """
    path = f"rnn_core.{module}" if module else "rnn_core"
    if name in _INSTEAD:
        raise ImportError(f"{path} has no {name}: {_INSTEAD[name]}.")
    if not module and name in _KERAS_PARTS:
        raise ImportError(f"rnn_core has no {name}: {_KERAS_PARTS[name]}.")
    if not name[:1].isupper() and name not in _KERAS_FUNCTIONS.get(module, "").split():
        raise AttributeError(f"module {path!r} has no attribute {name!r}")
    raise ImportError(
        f"{path} has no {name}: the engine is made for simple recurrent networks and supports here "
        f"{', '.join(sorted(supported))}."
    )


class _Refusing:
    """Says of modules of Keras what there is here, where Python would say that there is no such module."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """Raise ModuleNotFoundError for a module of Keras that nothing before has found; leave the others to Python."""
        package, _, part = name.partition(".")
        if package == "rnn_core" and part in _KERAS_PARTS:
            raise ModuleNotFoundError(f"rnn_core has no {part}: {_KERAS_PARTS[part]}.", name=name)
        if name == "rnn_core.preprocessing.text":
            raise ModuleNotFoundError(f"rnn_core.preprocessing has no text: {_INSTEAD['Tokenizer']}.", name=name)


def refuse_modules() -> None:
    """Let ``import rnn_core.datasets`` and the like say what there is instead; asked last, after all that finds."""
    if _Refusing not in sys.meta_path:
        sys.meta_path.append(_Refusing)
