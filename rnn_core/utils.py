"""Small things that scripts take from ``keras.utils``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.checks import one_of, positive_int, real
from rnn_core.data import as_floats, as_numeric
from rnn_core.naming import clear_session
from rnn_core.random import set_random_seed

__all__ = ["clear_session", "pad_sequences", "plot_model", "set_random_seed", "to_categorical"]


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Any:
    """Write the picture of a model: its layers as boxes, and arrows between them. Graphviz is not needed.

    Parameters
    ----------
    model : Model
        Built.
    to_file : path
        Ends in .png, .svg or .pdf.
    show_shapes : bool
        Also shows how many parameters each layer has.
    show_dtype, show_layer_names, show_layer_activations, show_trainable : bool
        What else the boxes tell.
    rankdir : {"TB", "LR"}
        From top to bottom, or from left to right.
    expand_nested : bool
        Only False.
    dpi : int
        Dots per inch of a .png.
    splines : str
        Only Keras' default.

    Returns
    -------
    matplotlib.figure.Figure
        Which shows itself in a notebook.

    Raises
    ------
    ValueError, TypeError
        For a model that is not built, and for what is not supported.

    Examples
    --------
    >>> import tempfile
    >>> from rnn_core.tutorial import build_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     figure = plot_model(build_model(1, 4), f"{folder}/model.svg", show_shapes=True)
    """
    from rnn_core.inspection.pictures.graph import model_graph
    from rnn_core.models import Model

    if not isinstance(model, Model):
        raise TypeError(f"plot_model: model must be a Model, got {type(model).__name__}.")
    if expand_nested:
        raise ValueError("plot_model: expand_nested is not supported, a model inside another is drawn layer by layer.")
    one_of("plot_model", "splines", splines, ("ortho",))  # the one way in which arrows are drawn here
    one_of("plot_model", "rankdir", rankdir, ("TB", "LR"))
    dpi = positive_int("plot_model", "dpi", dpi)
    path = Path(to_file)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ValueError(f"plot_model: to_file must end in .png, .svg or .pdf, got {str(path)!r}.")
    figure = model_graph(
        model,
        show_shapes=show_shapes,
        show_dtype=show_dtype,
        show_layer_names=show_layer_names,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        show_params=show_shapes,
        rankdir=rankdir,
    )
    figure.savefig(path, dpi=dpi)
    return figure


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> NDArray[Any]:
    """Make sequences of several lengths one array, for a model that begins with Masking or a masking Embedding.

    Parameters
    ----------
    sequences : list of array_like, each of shape (timesteps,) or (timesteps, features)
    maxlen : int, optional
        Time steps of the array; by default those of the longest sequence.
    dtype : dtype
        Give "float32" for measurements.
    padding, truncating : {"pre", "post"}
        Where steps are put in, and where they are cut off: at the beginning or at the end.
    value : float
        What is put in.

    Returns
    -------
    ndarray, shape (samples, timesteps) or (samples, timesteps, features)

    Raises
    ------
    TypeError, ValueError
        For what are no sequences of numbers, of other features than the first one, or that lose digits as `dtype`.
        (Keras cuts 1.7 to 1.)

    Examples
    --------
    >>> pad_sequences([[1], [2, 3], [4, 5, 6]])
    array([[0, 0, 1],
           [0, 2, 3],
           [4, 5, 6]], dtype=int32)
    >>> pad_sequences([[0.5], [1.5, 2.5]], dtype="float32", padding="post", value=-1)
    array([[ 0.5, -1. ],
           [ 1.5,  2.5]], dtype=float32)
    """
    one_of("pad_sequences", "padding", padding, ("pre", "post"))
    one_of("pad_sequences", "truncating", truncating, ("pre", "post"))
    if isinstance(sequences, str) or not hasattr(sequences, "__len__"):
        raise TypeError(f"pad_sequences: sequences must be a list of sequences, got {type(sequences).__name__}.")
    found = [as_numeric(f"pad_sequences: sequence {i}", one) for i, one in enumerate(sequences)]
    features = next((one.shape[1:] for one in found if one.size), ())
    steps = max((len(one) for one in found if one.ndim), default=0)
    if maxlen is not None:
        steps = positive_int("pad_sequences", "maxlen", maxlen)
    value = real("pad_sequences", "value", value)
    if np.dtype(dtype).kind in "iu" and value != int(value):
        raise ValueError(f"pad_sequences: value {value:g} is no {np.dtype(dtype)}, give another dtype.")
    padded = np.full((len(found), steps, *features), value, dtype)
    for i, one in enumerate(found):
        if one.ndim == 0 or (one.size and one.shape[1:] != features):
            raise ValueError(
                f"pad_sequences: sequence {i} must have shape (timesteps{''.join(f', {n}' for n in features)}), got "
                f"{one.shape}."
            )
        if not one.size:
            continue
        kept = one[max(0, len(one) - steps) :] if truncating == "pre" else one[:steps]
        start = steps - len(kept) if padding == "pre" else 0
        target = padded[i, start : start + len(kept)]
        target[...] = kept
        if padded.dtype.kind in "iu" and (target != kept).any():
            raise ValueError(
                f"pad_sequences: sequence {i} holds numbers that {padded.dtype} cannot hold, give another dtype."
            )
    return padded


def to_categorical(x: Any, num_classes: int | None = None) -> NDArray[np.float32]:
    """Turn class labels into one-hot rows.

    Parameters
    ----------
    x : array_like of int, from 0 to num_classes - 1
        A last axis of size 1 is dropped.
    num_classes : int, optional
        Default: the largest label + 1.

    Raises
    ------
    ValueError
        For labels that are negative, fractional or not below `num_classes`.

    Examples
    --------
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = as_floats("to_categorical: x", as_numeric("to_categorical: x", x), "float64")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    whole = labels.astype(np.int64)
    classes = int(whole.max(initial=-1)) + 1
    if num_classes is not None:
        classes = positive_int("to_categorical", "num_classes", num_classes)
    if (whole != labels).any() or (whole < 0).any() or (whole >= classes).any():
        raise ValueError(
            f"to_categorical: x must hold whole numbers from 0 to {max(classes - 1, 0)}, "
            f"got numbers from {labels.min():g} to {labels.max():g}."
        )
    return np.eye(classes, dtype=np.float32)[whole]


def __getattr__(name: str) -> Any:
    from rnn_core.unsupported import refuse_import

    return refuse_import("utils", name, __all__)
