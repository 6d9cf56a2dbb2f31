"""What one flat vector gives: frozen parts, chunks, slots as views, and steps that allocate nothing."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from rnn_core.optimizers import SGD, Optimizer, RMSprop, chunks

from .against_keras import SIZES, STOPS, TENSORS, VARIANTS, Ours, every_variant, name_of

WITH_SLOTS = [(cls, options) for cls, options in VARIANTS if options or cls is not SGD]  # plain SGD remembers nothing


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
@pytest.mark.parametrize(("repeat", "steps"), [(1_000, 66), (20_000, 2)])  # with a flush; with several chunks
@every_variant
def test_a_step_allocates_nothing(
    cls: type[Optimizer], options: dict[str, Any], clip: str, repeat: int, steps: int
) -> None:
    ours = Ours(cls(**options, **{clip: 0.5}), "float32", repeat=repeat)
    ours.step()
    tracemalloc.start()
    for _ in range(steps):
        ours.optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000  # bytes: Python numbers, no arrays


@pytest.mark.parametrize(("cls", "options"), WITH_SLOTS, ids=map(name_of, WITH_SLOTS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_state_has_the_dtype_of_the_weights(cls: type[Optimizer], options: dict[str, Any], dtype: str) -> None:
    ours = Ours(cls(**options), dtype)
    ours.step()
    assert {slot.dtype for slot in ours.optimizer.slots.values()} == {np.dtype(dtype)}


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
    with pytest.raises(ValueError, match="SGD 'sgd' is not built yet"):
        optimizer.step()
    Ours(optimizer)
    with pytest.raises(ValueError, match="SGD 'sgd' was built on other weights"):
        Ours(optimizer)


def test_weights_and_gradients_are_vectors_of_floats_that_go_together() -> None:
    with pytest.raises(ValueError, match="vectors of one length and dtype"):
        SGD().build(np.zeros(3), np.zeros(4), [], [])
    with pytest.raises(ValueError, match="vectors of one length and dtype"):
        SGD().build(np.zeros(3), np.zeros(3, np.float32), [], [])
    with pytest.raises(ValueError, match="'float32' or 'float64'"):
        SGD().build(np.zeros(3, int), np.zeros(3, int), [], [])
