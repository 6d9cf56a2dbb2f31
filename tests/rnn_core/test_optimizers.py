"""Optimizers: every combination of settings against live Keras, and what one flat vector adds to that."""

from __future__ import annotations

import os
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rnn_core import constraints, optimizers
from rnn_core.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop, base, chunks, schedules

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SHAPES = [(2, 3), (3,), (4,)]  # the last one is frozen
SIZES = [int(np.prod(shape)) for shape in SHAPES]
STOPS = np.cumsum(SIZES).tolist()
TENSORS = [slice(stop - size, stop) for stop, size in zip(STOPS, SIZES, strict=True)]
TRAINABLE = TENSORS[:2]

VARIANTS: list[tuple[type[Optimizer], dict[str, Any]]] = [
    (RMSprop, {}),
    (RMSprop, {"momentum": 0.9, "centered": True}),
    (SGD, {}),
    (SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.9, "nesterov": True}),
    (Adam, {}),
    (Adam, {"amsgrad": True}),
    (AdamW, {}),
    (RMSprop, {"weight_decay": 0.1, "use_ema": True, "ema_overwrite_frequency": 7}),
]


def name_of(variant: Any) -> str:
    return f"{variant[0].__name__}({', '.join(variant[1])})"


every_variant = pytest.mark.parametrize(("cls", "options"), VARIANTS, ids=map(name_of, VARIANTS))


class Ours:
    """An optimizer built on a vector of its own."""

    def __init__(self, optimizer: Optimizer, dtype: str = "float64", seed: int = 0, repeat: int = 1) -> None:
        self.optimizer = optimizer
        self.draws = np.random.default_rng(seed)
        self.weights = self.draws.standard_normal(STOPS[-1] * repeat).astype(dtype)
        self.gradients = np.zeros_like(self.weights)
        tensors = [slice(t.start * repeat, t.stop * repeat) for t in TENSORS]
        self.frozen = self.weights[tensors[-1]]
        optimizer.build(self.weights, self.gradients, tensors, tensors[:2])

    def step(self, gradients: Any = None) -> None:
        if gradients is None:
            gradients = self.draws.standard_normal(self.weights.size)
        self.gradients[:] = gradients
        self.optimizer.step()

    def trained(self) -> list[np.ndarray]:
        return [self.weights[t] for t in TRAINABLE]


class Theirs:
    """The same weights, trained by Keras."""

    def __init__(self, cls: type[Optimizer], options: dict[str, Any], ours: Ours, exact: bool = True) -> None:
        import keras

        self.convert = keras.ops.convert_to_tensor
        options = dict(options)
        if isinstance(options.get("learning_rate"), schedules.LearningRateSchedule):
            schedule = schedules.serialize(options["learning_rate"])
            options["learning_rate"] = keras.optimizers.schedules.deserialize(schedule)
        if exact:  # Keras on TensorFlow rounds some settings to float32, but not where they are NumPy's floats
            options = {**ours.optimizer.get_config(), **options, "name": "exact"}
            options = {key: np.float64(v) if isinstance(v, float) else v for key, v in options.items()}
        self.optimizer = getattr(keras.optimizers, cls.__name__)(**options)
        self.weights = [
            keras.Variable(ours.weights[t].reshape(shape), dtype=ours.weights.dtype.name)
            for t, shape in zip(TRAINABLE, SHAPES, strict=False)
        ]

    def step(self, gradients: np.ndarray) -> None:
        cut = [gradients[t].reshape(shape) for t, shape in zip(TRAINABLE, SHAPES, strict=False)]
        self.optimizer.apply([self.convert(g) for g in cut], self.weights)

    def trained(self) -> list[np.ndarray]:
        return [w.numpy().ravel() for w in self.weights]


def assert_same(ours: Any, theirs: Any, rtol: float = 1e-12, atol: float = 1e-14) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def gradient_sequence(seed: int, steps: int, dtype: str = "float64") -> list[np.ndarray]:
    """Gradients over many orders of magnitude; from the middle on one tensor's is zero."""
    draws = np.random.default_rng(seed)
    scales = 10.0 ** draws.uniform(-4, 1, (steps, 1))
    gradients = scales * draws.standard_normal((steps, STOPS[-1]))
    gradients[steps // 2 :, TENSORS[1]] = 0
    return list(gradients.astype(dtype))


# ---- live Keras -----------------------------------------------------------------------------------------------------

NO_SHRINKING = [Phase.explicit, Phase.reuse, Phase.generate]  # Keras takes minutes for it
CLIPS = st.sampled_from([{}, {"clipnorm": 0.7}, {"clipvalue": 0.3}, {"global_clipnorm": 1.1}])
AVERAGES = st.sampled_from(
    [{}, {"use_ema": True, "ema_momentum": 0.9}, {"use_ema": True, "ema_overwrite_frequency": 5}]
)
DECAYS = st.sampled_from([{}, {"weight_decay": 0.03}])
OWN = {
    RMSprop: st.fixed_dictionaries(
        {
            "momentum": st.sampled_from([0.0, 0.9]),
            "centered": st.booleans(),
            "rho": st.sampled_from([0.9, 0.5]),
            "epsilon": st.sampled_from([1e-7, 1e-3]),
        }
    ),
    SGD: st.fixed_dictionaries({"momentum": st.sampled_from([0.0, 0.9]), "nesterov": st.booleans()}),
    Adam: st.fixed_dictionaries(
        {
            "beta_1": st.sampled_from([0.9, 0.5]),
            "beta_2": st.sampled_from([0.999, 0.9]),
            "epsilon": st.sampled_from([1e-7, 1e-3]),
            "amsgrad": st.booleans(),
        }
    ),
    AdamW: st.fixed_dictionaries(
        {
            "weight_decay": st.sampled_from([0.004, 0.1]),
            "beta_1": st.sampled_from([0.9, 0.5]),
            "beta_2": st.sampled_from([0.999, 0.9]),
            "epsilon": st.sampled_from([1e-7, 1e-3]),
            "amsgrad": st.booleans(),
        }
    ),
}


@pytest.mark.parametrize(("cls", "examples"), [(RMSprop, 20), (SGD, 12), (Adam, 12), (AdamW, 4)])
def test_every_combination_of_settings_agrees_with_keras(cls: type[Optimizer], examples: int) -> None:
    @settings(max_examples=examples, deadline=None, phases=NO_SHRINKING)
    @given(OWN[cls], CLIPS, AVERAGES, DECAYS, st.sampled_from([0.001, 0.05]), st.integers(0, 2**32 - 1))
    def check(own: Any, clip: Any, average: Any, decay: Any, rate: float, seed: int) -> None:
        options = {"learning_rate": rate, **decay, **own, **clip, **average}
        ours = Ours(cls(**options), seed=seed)
        theirs = Theirs(cls, options, ours)
        for gradients in gradient_sequence(seed, 66):
            ours.step(gradients)
            theirs.step(gradients)
        assert_same(ours.trained(), theirs.trained())
        assert_same(ours.optimizer.variables, [v.numpy().ravel() for v in theirs.optimizer.variables])
        ours.optimizer.finalize()
        theirs.optimizer.finalize_variable_values(theirs.weights)
        assert_same(ours.trained(), theirs.trained())

    check()


@every_variant
def test_float32_agrees_with_keras(cls: type[Optimizer], options: dict[str, Any]) -> None:
    ours = Ours(cls(**options), "float32")
    theirs = Theirs(cls, options, ours)
    for gradients in gradient_sequence(1, 30, "float32"):
        ours.step(gradients)
        theirs.step(gradients)
    assert_same(ours.trained(), theirs.trained(), rtol=2e-6, atol=1e-6)


def test_constraints_come_after_average_and_overwriting() -> None:
    import keras

    options = {"learning_rate": 0.5, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3}
    ours = Ours(SGD(**options))
    theirs = Theirs(SGD, options, ours)
    theirs.weights[0].constraint = keras.constraints.NonNeg()
    constraint, kernel = constraints.NonNeg(), ours.weights[TENSORS[0]]
    average = ours.optimizer.model_variables_moving_average
    assert average is not None

    lowest = 0.0
    for gradients in gradient_sequence(3, 20):
        ours.step(gradients)
        kernel[:] = constraint(kernel)
        theirs.step(gradients)
        assert_same(ours.trained(), theirs.trained())
        assert_same([average[t] for t in TRAINABLE], [v.numpy().ravel() for v in theirs.optimizer.variables[2:4]])
        assert kernel.min() >= 0
        lowest = min(lowest, average[TENSORS[0]].min())
    assert lowest < 0  # the average is of unconstrained weights


@every_variant
def test_schedules_agree_with_keras(cls: type[Optimizer], options: dict[str, Any]) -> None:
    options = {**options, "learning_rate": schedules.PiecewiseConstantDecay([2, 5], [0.125, 0.5, 0.25])}
    ours = Ours(cls(**options))
    theirs = Theirs(cls, options, ours)
    for gradients in gradient_sequence(4, 9):
        ours.step(gradients)
        theirs.step(gradients)
    assert_same(ours.trained(), theirs.trained())
    assert_same(ours.optimizer.variables, [v.numpy().ravel() for v in theirs.optimizer.variables])


def test_keras_on_tensorflow_rounds_adams_betas_to_float32() -> None:
    import keras

    ours = Ours(Adam())
    theirs, rounded = Theirs(Adam, {}, ours), Theirs(Adam, {}, ours, exact=False)
    start = ours.weights[TRAINABLE[0]].copy()
    gradients = np.ones(STOPS[-1])
    for optimizer in (ours, theirs, rounded):
        optimizer.step(gradients)
    ours_step, theirs_step, rounded_step = (x.trained()[0] - start for x in (ours, theirs, rounded))
    np.testing.assert_allclose(ours_step, theirs_step, rtol=1e-12)
    if keras.backend.backend() == "tensorflow":
        assert 1e-6 < abs(rounded_step / ours_step - 1).max() < 1e-5


def test_keras_centered_rmsprop_gets_lost_on_a_constant_gradient_and_ours_does_not() -> None:
    optimizer = RMSprop(centered=True)
    weights, gradients = np.zeros(200, np.float32), np.linspace(0.5, 20, 200).astype(np.float32)
    optimizer.build(weights, gradients, [slice(0, 200)], [slice(0, 200)])
    assert optimizer.velocities is not None
    assert optimizer.average_gradients is not None
    for _ in range(300):
        optimizer.step()
    variance = optimizer.velocities - optimizer.average_gradients**2
    assert variance.min() < -optimizer.epsilon  # Keras takes the root of this plus epsilon
    assert np.isfinite(weights).all()


# ---- one vector -----------------------------------------------------------------------------------------------------


@every_variant
def test_frozen_weights_are_never_touched(cls: type[Optimizer], options: dict[str, Any]) -> None:
    ours = Ours(cls(**options))
    before, moving = ours.frozen.copy(), ours.weights[: STOPS[1]].copy()
    for _ in range(70):
        ours.step()
    ours.optimizer.finalize()
    assert ours.frozen.tobytes() == before.tobytes()
    assert (ours.weights[: STOPS[1]] != moving).all()
    for slot in ours.optimizer.slots.values():
        assert not slot[TENSORS[-1]].any()


@every_variant
def test_chunks_change_no_bit(cls: type[Optimizer], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Ours(cls(**options), "float32", repeat=10)
    monkeypatch.setattr(chunks, "CHUNK", 16)
    pieces = Ours(cls(**options), "float32", repeat=10)
    for _ in range(66):
        whole.step()
        pieces.step()
    assert whole.weights.tobytes() == pieces.weights.tobytes()


def test_chunks_cover_the_trainable_ranges_and_nothing_else() -> None:
    weights = np.zeros(300_000, np.float32)
    cut = chunks.cut(weights, weights, None, [], [slice(100, 200), slice(200, 131_173), slice(200_000, 299_999)])
    for chunk in cut:
        assert len(chunk.w) == len(chunk.s) == len(chunk.u) <= chunks.CHUNK
        chunk.w += 1
    assert [len(chunk.w) for chunk in cut] == [65_536, 65_536, 1, 65_536, 34_463]
    assert (weights[100:131_173] == 1).all()
    assert (weights[200_000:299_999] == 1).all()
    assert weights.sum() == 131_073 + 99_999


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
@pytest.mark.parametrize("repeat", [1, 20_000])
@every_variant
def test_a_step_allocates_nothing(cls: type[Optimizer], options: dict[str, Any], clip: str, repeat: int) -> None:
    ours = Ours(cls(**options, **{clip: 0.5}), "float32", repeat=repeat)
    ours.step()
    tracemalloc.start()
    for _ in range(66 if repeat == 1 else 2):
        ours.optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000  # bytes: Python numbers, no arrays


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_clipping_leaves_the_gradients_as_they_are(clip: str) -> None:
    ours = Ours(SGD(**{clip: 0.01}))  # type: ignore[arg-type]
    gradients = ours.draws.standard_normal(STOPS[-1])
    ours.step(gradients)
    assert (ours.gradients == gradients).all()


def test_clipping_bounds_what_it_says() -> None:
    def update(**clip: float) -> list[np.ndarray]:
        ours = Ours(SGD(learning_rate=1.0, **clip))  # type: ignore[arg-type]
        before = ours.weights.copy()
        ours.step(100 * np.ones(STOPS[-1]))
        return [(ours.weights - before)[t] for t in TENSORS]

    np.testing.assert_allclose([np.linalg.norm(u) for u in update(clipnorm=0.5)], [0.5, 0.5, 0])
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(update(global_clipnorm=0.5))), 0.5)
    np.testing.assert_allclose(update(clipvalue=0.5)[0], -0.5)


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
def test_small_and_zero_gradients_are_not_clipped(clip: str) -> None:
    ours, plain = Ours(SGD(**{clip: 1.0})), Ours(SGD())  # type: ignore[arg-type]
    for gradients in (np.zeros(STOPS[-1]), np.full(STOPS[-1], 1e-3)):
        ours.step(gradients)
        plain.step(gradients)
        assert (ours.weights == plain.weights).all()


def test_global_clipping_of_an_infinite_gradient_gives_nan_everywhere_as_in_keras() -> None:
    ours = Ours(SGD(global_clipnorm=1.0))
    theirs = Theirs(SGD, {}, ours)
    gradients = np.ones(STOPS[-1])
    gradients[0] = np.inf
    with np.errstate(invalid="ignore"):
        ours.step(gradients)
    theirs.step(gradients)
    for w in (*ours.trained(), *theirs.trained()):
        assert np.isnan(w).all()


@every_variant
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_state_has_the_dtype_of_the_weights(cls: type[Optimizer], options: dict[str, Any], dtype: str) -> None:
    ours = Ours(cls(**options), dtype)
    ours.step()
    assert ours.weights.dtype == dtype
    assert {slot.dtype for slot in ours.optimizer.slots.values()} <= {np.dtype(dtype)}


def test_slots_are_attributes_and_per_tensor_views() -> None:
    ours = Ours(RMSprop(momentum=0.5))
    ours.step()
    optimizer: Any = ours.optimizer
    assert optimizer.average_gradients is None
    assert optimizer.velocities.shape == optimizer.momentums.shape == ours.weights.shape
    views = optimizer.slot_views()
    assert list(views) == ["velocities", "momentums"]
    assert [len(view) for view in views["velocities"]] == SIZES[:2]
    views["velocities"][1][:] = 7
    assert (optimizer.velocities[TENSORS[1]] == 7).all()


# ---- going on -------------------------------------------------------------------------------------------------------


@every_variant
@settings(max_examples=5, deadline=None)
@given(before=st.integers(0, 70), after=st.integers(1, 70), clip=CLIPS)
def test_a_saved_state_goes_on_bit_by_bit(
    cls: type[Optimizer], options: dict[str, Any], before: int, after: int, clip: dict[str, float]
) -> None:
    first = Ours(cls(**options, **clip), "float32")
    for _ in range(before):
        first.step()
    first.optimizer.learning_rate = 0.01
    state = {key: np.asarray(value) for key, value in first.optimizer.get_state().items()}  # as a file holds it
    second = Ours(cls(**options, **clip), "float32", seed=99)
    second.weights[:] = first.weights
    second.optimizer.set_state(state)
    for gradients in np.random.default_rng(5).standard_normal((after, STOPS[-1])):
        first.step(gradients)
        second.step(gradients)
    assert first.weights.tobytes() == second.weights.tobytes()
    assert second.optimizer.learning_rate == first.optimizer.learning_rate
    assert second.optimizer.iterations == before + after


def test_a_state_is_a_copy() -> None:
    ours = Ours(Adam())
    ours.step()
    state = ours.optimizer.get_state()
    copy = {key: np.copy(value) for key, value in state.items()}
    ours.step()
    for key, value in state.items():
        np.testing.assert_array_equal(value, copy[key])
    ours.optimizer.set_state(state)
    ours.step()
    np.testing.assert_array_equal(state["velocities"], copy["velocities"])


def test_a_state_that_does_not_fit_is_refused() -> None:
    ours = Ours(Adam())
    ours.step()
    state = ours.optimizer.get_state()
    with pytest.raises(ValueError, match=r"state must have the entries .*'velocities'.*got"):
        ours.optimizer.set_state({key: state[key] for key in ("iterations", "learning_rate", "momentums")})
    with pytest.raises(ValueError, match=r"velocities in the state must have shape \(13,\), got \(2,\)"):
        ours.optimizer.set_state({**state, "iterations": 50, "velocities": np.zeros(2)})
    assert ours.optimizer.iterations == 1
    with pytest.raises(ValueError, match="not built"):
        Adam().set_state(state)


def test_building_again_keeps_the_slots_and_recuts_the_weights() -> None:
    ours = Ours(SGD(momentum=0.9, use_ema=True, ema_momentum=0.5))
    for _ in range(3):
        ours.step()
    state = ours.optimizer.get_state()
    ours.optimizer.build(ours.weights, ours.gradients, TENSORS, TENSORS[1:])
    average = ours.optimizer.model_variables_moving_average
    assert average is not None
    np.testing.assert_array_equal(ours.optimizer.get_state()["momentums"], state["momentums"])
    np.testing.assert_array_equal(average[TENSORS[2]], ours.frozen)  # newly free: its average starts at its value
    kept, freed = ours.weights[TENSORS[0]].copy(), ours.frozen.copy()
    ours.step()
    assert (ours.weights[TENSORS[0]] == kept).all()
    assert (ours.frozen != freed).all()


def test_an_optimizer_belongs_to_its_weights() -> None:
    optimizer = SGD()
    Ours(optimizer)
    with pytest.raises(ValueError, match="SGD 'sgd' was built on other weights"):
        Ours(optimizer)
    with pytest.raises(ValueError, match="vectors of one length and dtype"):
        SGD().build(np.zeros(3), np.zeros(4), [], [])
    with pytest.raises(ValueError, match="vectors of one length and dtype"):
        SGD().build(np.zeros(3), np.zeros(3, np.float32), [], [])
    with pytest.raises(ValueError, match="'float32' or 'float64'"):
        SGD().build(np.zeros(3, int), np.zeros(3, int), [], [])
    with pytest.raises(ValueError, match="SGD 'sgd' is not built yet"):
        SGD().step()


# ---- averaged weights ------------------------------------------------------------------------------------------------


def test_the_average_starts_at_the_first_updated_weights_and_replaces_them_at_the_end() -> None:
    ours = Ours(SGD(use_ema=True))
    start = ours.weights.copy()
    ours.optimizer.finalize()
    assert (ours.weights == start).all()  # no step, no average
    average = ours.optimizer.model_variables_moving_average
    assert average is not None
    ours.step()
    np.testing.assert_array_equal(average[: STOPS[1]], ours.weights[: STOPS[1]])
    for _ in range(4):
        ours.step()
    assert (average[: STOPS[1]] != ours.weights[: STOPS[1]]).all()
    ours.optimizer.finalize()
    np.testing.assert_array_equal(average[: STOPS[1]], ours.weights[: STOPS[1]])


def test_weights_are_overwritten_every_n_steps() -> None:
    ours = Ours(SGD(use_ema=True, ema_overwrite_frequency=3))
    average = ours.optimizer.model_variables_moving_average
    assert average is not None
    same = []
    for _ in range(9):
        ours.step()
        same.append(bool((average == ours.weights)[: STOPS[1]].all()))
    assert same == [True, False, True, False, False, True, False, False, True]  # the first is the average's start


# ---- denormal numbers ------------------------------------------------------------------------------------------------


def has_denormals(x: np.ndarray) -> bool:
    return bool(((x != 0) & (abs(x) < np.finfo(x.dtype).tiny)).any())


DYING: list[tuple[type[Optimizer], dict[str, Any]]] = [
    *((RMSprop, {"rho": rho, "momentum": 0.99, "centered": True}) for rho in (0.6, 0.9, 0.99, 0.999)),
    (RMSprop, {"momentum": 0.6}),
    (SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.99}),
    (Adam, {}),
    (Adam, {"beta_1": 0.99, "beta_2": 0.99, "amsgrad": True}),
    (SGD, {"weight_decay": 0.5, "learning_rate": 0.2, "use_ema": True}),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "options"), DYING, ids=[f"{c.__name__}-{o}" for c, o in DYING])
def test_no_slot_stays_among_the_denormal_numbers(
    cls: type[Optimizer], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slots start at every order of magnitude, so that every length of the decay is met."""

    def run(flush_every: int) -> set[str]:
        monkeypatch.setattr(base, "FLUSH_EVERY", flush_every)
        optimizer = cls(**options)
        size = 600
        weights = np.logspace(-45, 0, size).astype(np.float32)
        optimizer.build(weights, np.zeros(size, np.float32), [slice(0, size)], [slice(0, size)])
        for slot in optimizer.slots.values():
            slot[:] = np.logspace(-45, 0, size)
        for _ in range(3000):
            optimizer.step()
        found = set()
        watched = dict(optimizer.slots) | ({"weights": weights} if optimizer.weight_decay else {})
        for _ in range(2 * base.FLUSH_EVERY if flush_every < 1000 else 1):
            optimizer.step()
            found |= {name for name, array in watched.items() if has_denormals(array)}
        return found

    assert run(10**9)  # the hazard is real
    assert run(64) == set()


def test_flushing_changes_the_weights_by_no_more_than_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(7)
    size = (200, STOPS[-1])
    sequence = (10.0 ** draws.uniform(-25, 0, size) * draws.choice([-1, 1], size)).astype("f4")
    sequence[50:150, :4] = 0
    flushed = Ours(RMSprop(), "float32")
    plain = Ours(RMSprop(), "float32")
    theirs = Theirs(RMSprop, {}, plain)
    for gradients in sequence:
        monkeypatch.setattr(base, "FLUSH_EVERY", 64)
        flushed.step(gradients)
        monkeypatch.setattr(base, "FLUSH_EVERY", 10**9)
        plain.step(gradients)
        theirs.step(gradients)
    np.testing.assert_allclose(flushed.weights, plain.weights, rtol=2e-7)
    assert_same(flushed.trained(), theirs.trained(), rtol=2e-6)


# ---- the learning rate -----------------------------------------------------------------------------------------------


@every_variant
def test_a_learning_rate_that_is_set_holds_from_the_next_step(cls: type[Optimizer], options: dict[str, Any]) -> None:
    changed, other = Ours(cls(0.5, **options)), Ours(cls(0.25, **options))
    changed.optimizer.learning_rate = 0.25
    changed.step()
    other.step()
    assert (changed.weights == other.weights).all()
    kept = changed.weights.copy()
    changed.optimizer.learning_rate = 0
    changed.optimizer.weight_decay = 0.5
    if not options.get("momentum"):
        changed.step()
        np.testing.assert_allclose(changed.weights, kept)


def test_the_learning_rate_has_the_precision_of_floatx_as_in_keras() -> None:
    import keras

    optimizer = SGD(0.1)
    assert optimizer.learning_rate == float(keras.optimizers.SGD(0.1).learning_rate) == float(np.float32(0.1))
    optimizer.learning_rate = np.float64(0.3)
    assert optimizer.learning_rate == float(np.float32(0.3))


def test_a_schedule_may_give_zero_but_nothing_below() -> None:
    ours = Ours(SGD(schedules.PolynomialDecay(0.5, 2, end_learning_rate=0)))
    rates = []
    for _ in range(4):
        rates.append(ours.optimizer.learning_rate)
        ours.step()
    assert rates == [0.5, 0.25, 0, 0]

    class Sinking(schedules.LearningRateSchedule):
        def __call__(self, step: int) -> float:
            return 1.0 - step

    ours = Ours(SGD(Sinking()))
    ours.step()
    ours.step()
    with pytest.raises(ValueError, match=r"Sinking must give a finite .* of at least 0, got -1.0 at step 2"):
        ours.step()


@pytest.mark.parametrize("rate", [0, 0.0, -0.1, np.nan, np.inf, "0.1", None, True])
def test_a_learning_rate_must_be_a_number_above_zero(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"RMSprop: learning_rate must be a number above 0, got"):
        RMSprop(learning_rate=rate)
    optimizer = RMSprop()
    if not (rate == 0 and rate is not False):
        with pytest.raises(ValueError, match=r"learning_rate must be a number of at least 0, got"):
            optimizer.learning_rate = rate
    assert optimizer.learning_rate == float(np.float32(0.001))


def test_a_scheduled_learning_rate_cannot_be_set_and_a_function_is_no_schedule() -> None:
    optimizer = SGD(schedules.ExponentialDecay(0.1, 10, 0.9))
    with pytest.raises(TypeError, match=r"learning_rate follows ExponentialDecay, so it cannot be set to 0\.2"):
        optimizer.learning_rate = 0.2
    with pytest.raises(TypeError, match="must be a number or a LearningRateSchedule"):
        SGD(lambda: 0.1)
    optimizer = SGD(0.1)
    optimizer.learning_rate = schedules.ExponentialDecay(0.5, 10, 0.9)
    assert optimizer.learning_rate == 0.5


# ---- configs, names, errors ------------------------------------------------------------------------------------------

CONFIGS: list[tuple[type[Optimizer], dict[str, Any]]] = [
    *VARIANTS,
    (RMSprop, {"learning_rate": 0.02, "rho": 0.8, "epsilon": 1e-3, "clipvalue": 0.5, "name": "mine"}),
    (SGD, {"global_clipnorm": 2.0}),
    (Adam, {"learning_rate": schedules.CosineDecay(0.1, 100, alpha=0.1), "beta_1": 0.8, "clipnorm": 1.0}),
]


@pytest.mark.parametrize(("cls", "options"), CONFIGS, ids=map(name_of, CONFIGS))
def test_configs_are_those_of_keras(cls: type[Optimizer], options: dict[str, Any]) -> None:
    import keras

    ours = cls(**{"name": "named", **options})
    config = ours.get_config()
    theirs = keras.optimizers.deserialize(optimizers.serialize(ours))
    assert theirs.get_config() == config
    assert list(theirs.get_config()) == list(config)
    again = optimizers.get(keras.optimizers.serialize(theirs))
    assert type(again) is cls
    assert again.get_config() == config
    assert cls.from_config(config).get_config() == config


@pytest.mark.parametrize("name", ["rmsprop", "RMSprop", "RMSPROP", "sgd", "SGD", "adam", "Adam", "adamw", "AdamW"])
def test_names_and_defaults_are_those_of_keras(name: str) -> None:
    import keras

    ours, theirs = optimizers.get(name), keras.optimizers.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    assert {**ours.get_config(), "name": ""} == {**theirs.get_config(), "name": ""}


def test_objects_and_classes_pass_through_get() -> None:
    optimizer = RMSprop()
    assert optimizers.get(optimizer) is optimizer
    assert type(optimizers.get(SGD)) is SGD
    with pytest.raises(ValueError, match=r"Unknown optimizer 'rmspop'. Did you mean 'rmsprop'\?"):
        optimizers.get("rmspop")
    with pytest.raises(TypeError, match="optimizer must be a name"):
        optimizers.get(3)
    with pytest.raises(TypeError, match="optimizer must be a name"):
        optimizers.get(None)


def test_all_other_optimizers_of_keras_are_refused_by_name() -> None:
    from keras.src.optimizers import ALL_OBJECTS

    others = {cls.__name__ for cls in ALL_OBJECTS} - {"RMSprop", "SGD", "Adam", "AdamW", "Optimizer", "OptimizerMap"}
    assert len(others) > 8
    for name in others:
        message = rf"'{name}' is not supported\. Supported: RMSprop, SGD, Adam, AdamW"
        with pytest.raises(ValueError, match=message):
            optimizers.get(name)
        with pytest.raises(ImportError, match=message):
            getattr(optimizers, name)
    assert not hasattr(optimizers, "nothing")


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (RMSprop, {"rho": 1.5}, "RMSprop: rho must be a number of at least 0 and at most 1, got 1.5"),
        (RMSprop, {"momentum": -0.1}, "RMSprop: momentum must be"),
        (RMSprop, {"epsilon": -1e-7}, "RMSprop: epsilon must be a number of at least 0"),
        (RMSprop, {"centered": "yes"}, "RMSprop: centered must be True or False, got 'yes'"),
        (RMSprop, {"weight_decay": -1}, "RMSprop: weight_decay must be a number of at least 0"),
        (RMSprop, {"clipnorm": 0}, "RMSprop: clipnorm must be a number above 0, got 0"),
        (RMSprop, {"clipvalue": -1}, "RMSprop: clipvalue must be"),
        (RMSprop, {"global_clipnorm": "1"}, "RMSprop: global_clipnorm must be"),
        (RMSprop, {"clipnorm": 1, "clipvalue": 1}, "RMSprop: only one of clipnorm, global_clipnorm, clipvalue can be"),
        (RMSprop, {"use_ema": 1}, "RMSprop: use_ema must be True or False"),
        (RMSprop, {"ema_momentum": 1.1}, "RMSprop: ema_momentum must be"),
        (RMSprop, {"ema_overwrite_frequency": 0}, "RMSprop: ema_overwrite_frequency must be an integer of at least 1"),
        (RMSprop, {"loss_scale_factor": 2.0}, "RMSprop: loss_scale_factor is not supported and must be None, got 2.0"),
        (RMSprop, {"gradient_accumulation_steps": 2}, "RMSprop: gradient_accumulation_steps is not supported"),
        (SGD, {"momentum": 2}, "SGD: momentum must be"),
        (SGD, {"nesterov": None}, "SGD: nesterov must be True or False"),
        (Adam, {"beta_1": 1.0}, "Adam: beta_1 must be below 1, got 1.0"),
        (Adam, {"beta_2": -1}, "Adam: beta_2 must be"),
        (Adam, {"amsgrad": 0}, "Adam: amsgrad must be True or False"),
        (AdamW, {"weight_decay": None}, "AdamW: weight_decay must be a number of at least 0, got None"),
        (AdamW, {"epsilon": None}, "AdamW: epsilon must be"),
    ],
)
def test_settings_out_of_range_are_refused(cls: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cls(**options)


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="decay"):
        RMSprop(decay=0.1)  # type: ignore[call-arg]
