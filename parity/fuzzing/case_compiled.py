"""Random losses, with a layer that fits each, and random optimizers; and how data for them is made."""

from __future__ import annotations

import random
from typing import NamedTuple

from parity.fuzzing.case_layers import ANY, Config, Named, fewest_units, last_layer, maybe, with_bias

_LOSSES: list[tuple[str, list[Config], list[str], str]] = [  # arguments, activations of the last layer, targets
    ("MeanSquaredError", [{}], [ANY], "real"),
    ("MeanAbsoluteError", [{}], [ANY], "real"),
    ("MeanAbsolutePercentageError", [{}], [ANY], "positive"),
    ("MeanSquaredLogarithmicError", [{}], ["softplus", "sigmoid", "exponential"], "positive"),
    ("Huber", [{}, {"delta": 0.3}], [ANY], "real"),
    ("LogCosh", [{}], [ANY], "real"),
    ("CosineSimilarity", [{}], ["linear", "tanh", "sigmoid", "softplus"], "real"),
    ("Poisson", [{}], ["softplus", "sigmoid", "exponential"], "positive"),
    ("KLDivergence", [{}], ["softmax", "sigmoid"], "distribution"),
    ("BinaryCrossentropy", [{}, {"label_smoothing": 0.1}], ["sigmoid"], "binary"),
    ("BinaryCrossentropy", [{"from_logits": True}], ["linear", "tanh"], "binary"),
    ("BinaryFocalCrossentropy", [{"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5}], ["sigmoid"], "binary"),
    ("BinaryFocalCrossentropy", [{"from_logits": True}], ["linear"], "binary"),
    ("CategoricalCrossentropy", [{}], ["softmax"], "one-hot"),
    ("CategoricalCrossentropy", [{"from_logits": True}], ["linear", "tanh"], "one-hot"),
    ("CategoricalFocalCrossentropy", [{}, {"alpha": 0.3, "gamma": 1.5}], ["softmax"], "one-hot"),
    ("SparseCategoricalCrossentropy", [{}, {"ignore_class": 1}], ["softmax"], "class"),
    ("SparseCategoricalCrossentropy", [{"from_logits": True}], ["linear"], "class"),
    ("Hinge", [{}], [ANY], "binary"),
    ("SquaredHinge", [{}], [ANY], "binary"),
    ("CategoricalHinge", [{}], [ANY], "one-hot"),
]
_OF_SIGNS = ("MeanAbsoluteError", "Huber", "Hinge", "CategoricalHinge")
"""Losses whose gradients are the same number with either sign, which cancel."""
TARGETS = {
    "real": "draws.standard_normal({shape})",
    "positive": "draws.uniform(0.25, 2, {shape})",
    "binary": "draws.integers(0, 2, {shape}).astype(float)",
    "one-hot": "np.eye({shape}[-1])[draws.integers(0, {shape}[-1], {shape}[:-1])]",
    "class": "draws.integers(0, {shape}[-1], {shape}[:-1])",
    "distribution": "draws.dirichlet(np.ones({shape}[-1]), {shape}[:-1])",
}
"""How targets for an output of that shape are made."""
WEIGHTS = {"sample": "{shape}[0]", "column": "({shape}[0], 1)", "step": "{shape}[:2]"}
"""The shape of the weights of samples for an output of that shape."""
_OPTIMIZERS: dict[str, list[Config]] = {
    "RMSprop": [{"rho": 0.7, "epsilon": 1e-5}, {"momentum": 0.7}, {"centered": True}],
    "SGD": [{"momentum": 0.7}, {"momentum": 0.7, "nesterov": True}],
    "Adam": [{"beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-5}, {"amsgrad": True}],
    "AdamW": [{"amsgrad": True}, {"weight_decay": 0.013}],
}
_FOR_ALL: list[Config] = [
    {"learning_rate": 0.003},
    {"weight_decay": 0.013},
    {"clipnorm": 0.03},
    {"clipvalue": 0.003},
    {"global_clipnorm": 0.03},
    {"use_ema": True, "ema_momentum": 0.7},
    {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2},
    {"learning_rate": ("ExponentialDecay", {"initial_learning_rate": 0.01, "decay_steps": 3, "decay_rate": 0.7})},
    {"learning_rate": ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 7, "alpha": 0.1})},
]


class DrawnLoss(NamedTuple):
    """A loss, an activation of the last layer that it can be taken of (`ANY`, where it does not matter), and targets.

    `targets` is a key of :data:`TARGETS`.
    """

    loss: Named
    activation: str
    targets: str


def draw_loss(r: random.Random) -> DrawnLoss:
    """Return a loss with any options."""
    name, options, activations, targets = r.choice(_LOSSES)
    reduction = r.choice(["sum_over_batch_size", "sum_over_batch_size", "sum", "mean", "mean_with_sample_weight"])
    loss = (f"losses.{name}", {**r.choice(options), "reduction": reduction})
    return DrawnLoss(loss, r.choice(activations), targets)


def last_layer_for(r: random.Random, drawn: DrawnLoss) -> Named:
    """Return a last layer whose outputs the loss can be taken of."""
    layer = last_layer(r, drawn.activation, fewest_units("", drawn.loss[0], drawn.targets))
    return with_bias(layer) if drawn.loss[0] == "losses.CosineSimilarity" else layer


def bounded_before(r: random.Random, last: Named, loss: Named, backend: str) -> list[Named]:
    """Return what must stand before a last layer, lest probabilities lose digits, or are clipped on one side only."""
    (_, given), focal = last[1].get("layer", last), "Focal" in loss[0]
    if not loss[0].endswith("Crossentropy") or not (focal or given["activation"] in ("softmax", "sigmoid")):
        return []
    clips = focal or "ignore_class" in loss[1]
    if not clips and last[0] == "Dense" and backend == "tensorflow":
        return []
    return [("Activation", {"activation": r.choice(["tanh", "sigmoid", "softsign", "hard_tanh"])})]


def draw_sample_weight(r: random.Random, loss: Named, dtype: str, sequences: bool) -> str:
    """Return a key of :data:`WEIGHTS`, or "" for none; not where gradients of float32 could add up to nothing."""
    if dtype == "float32" and loss[0].split(".")[1] in _OF_SIGNS:
        return "step" if sequences else "sample"
    return r.choice(["", "", *(["column", "step"] if sequences else ["sample"])])


def draw_optimizer(r: random.Random) -> tuple[Named, str]:
    """Return an optimizer with any options, and the dtype of a model that it can be checked in."""
    name, dtype = r.choice(list(_OPTIMIZERS)), r.choice(["float64", "float64", "float32"])
    options = {**(maybe(r, _OPTIMIZERS[name], 0.6) or {}), **(maybe(r, _FOR_ALL, 0.6) or {})}
    return (f"optimizers.{name}", options), "float64" if "clipvalue" in options else dtype
