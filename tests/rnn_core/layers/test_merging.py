"""Merging layers: against Keras with and without masks, against central differences, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_core
from rnn_core import layers

from ..finite_differences import SEEDS, examples
from .against_keras import keras
from .graphs import assert_as_keras, assert_step_as_keras, check_layer

pytestmark = pytest.mark.usefixtures("float64_everywhere")

ELEMENTWISE = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]
MISSING = 0.5625  # a step of this is masked


def apart(draws: np.random.Generator, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Return arrays in which no two values are equal or nearly so: no kink of a maximum is near."""
    total = sum(int(np.prod(shape)) for shape in shapes)
    values = iter(np.split(draws.permutation(total) * 0.1 - 1.0, np.cumsum([int(np.prod(s)) for s in shapes])[:-1]))
    return [next(values).reshape(shape) for shape in shapes]


@st.composite
def stretched_shapes(draw, number: int | None = None) -> list[tuple[int, ...]]:
    """Return shapes that fit together: some axes of size 1, some inputs of lower rank."""
    full = [draw(st.integers(1, 3)) for _ in range(draw(st.integers(1, 3)))]
    shapes = []
    for _ in range(number or draw(st.integers(1, 3))):
        kept = full[draw(st.integers(0, len(full))) :]
        shapes.append((2, *(n if draw(st.booleans()) else 1 for n in kept)))
    return shapes


@examples(150)
@given(st.data(), st.sampled_from(ELEMENTWISE), SEEDS)
def test_gradients_of_values_against_differences(data, name, seed):
    shapes = data.draw(stretched_shapes(2 if name == "Subtract" else None))
    draws = np.random.default_rng(seed)
    check_layer(getattr(layers, name)(), apart(draws, shapes), [None] * len(shapes), seed=seed)


@pytest.mark.parametrize("name", ELEMENTWISE)
@examples(25)
@given(
    shapes=st.sampled_from([[(3, 2), (3, 2)], [(1, 2), (3, 2)], [(3, 1), (2,)], [(3, 2), (2,), (3, 2)]]),
    masked=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    seed=SEEDS,
)
def test_gradients_of_masked_values_against_differences(name, shapes, masked, seed):
    shapes = [(2, *shape) for shape in (shapes[:2] if name == "Subtract" else shapes)]
    draws = np.random.default_rng(seed)
    pairs = zip(shapes, masked, strict=False)
    masks = [draws.random(shape[:2]) < 0.5 if m and len(shape) == 3 else None for shape, m in pairs]
    check_layer(getattr(layers, name)(), apart(draws, shapes), masks, seed=seed)


@examples(60)
@given(
    st.sampled_from(ELEMENTWISE),
    st.sampled_from([[(3, 2), (3, 2)], [(1, 2), (3, 2)], [(2,), (3, 2)], [(3, 1), (2,)], [(2,), (3, 1), (3, 2)]]),
    SEEDS,
)
def test_values_as_keras(name, shapes, seed):
    if name == "Subtract":
        shapes = shapes[-2:]
    xs = apart(np.random.default_rng(seed), [(4, *shape) for shape in shapes])

    def make(module):
        inputs = [module.Input(shape) for shape in shapes]
        return module.Model(inputs, getattr(module.layers, name)()(inputs))

    assert_as_keras(make, *xs)


@pytest.mark.parametrize("name", ["Maximum", "Minimum"])
def test_the_gradient_of_equals_goes_to_the_first(name):
    xs = [np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3))]

    def make(module):
        inputs = [module.Input((3,)) for _ in xs]
        return module.Model(inputs, getattr(module.layers, name)()(inputs))

    assert_as_keras(make, *xs)
    assert np.isnan(getattr(layers, name)()([[[1.0, np.nan]], [[np.nan, 1.0]]])).all()


@examples(80)
@given(
    st.sampled_from([*ELEMENTWISE, "Concatenate", "Concatenate in time"]),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    SEEDS,
)
def test_masks_as_keras(name, masked, seed):
    """What the loss sees is the merged values and a recurrent layer that is told the mask."""
    draws = np.random.default_rng(seed)
    masked = masked[:2] if name == "Subtract" else masked
    xs = [x / 6 for x in apart(draws, [(3, 4, 2)] * len(masked))]  # small, or their products drive tanh to its limits
    for x in xs:
        x[draws.random((3, 4)) < 0.4] = MISSING
    kind, *in_time = name.split(" in ")

    def make(module):
        inputs = [module.Input((4, 2)) for _ in xs]
        marked = [module.layers.Masking(MISSING)(x) if m else x for x, m in zip(inputs, masked, strict=True)]
        merged = getattr(module.layers, kind)(**({"axis": 1} if in_time else {}))(marked)
        return module.Model(inputs, [merged, module.layers.SimpleRNN(2, return_sequences=True)(merged)])

    assert_as_keras(make, *xs, seed=seed)


@examples(100)
@given(st.data(), SEEDS)
def test_concatenate_against_differences_and_numpy(data, seed):
    rank = data.draw(st.integers(2, 4))
    axis = data.draw(st.integers(1, rank - 1))
    sizes = [data.draw(st.integers(1, 3)) for _ in range(rank)]
    shapes = [
        tuple(data.draw(st.integers(1, 3)) if i == axis else n for i, n in enumerate(sizes))
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    xs = apart(np.random.default_rng(seed), shapes)
    given_axis = data.draw(st.sampled_from([axis, axis - rank]))
    layer = layers.Concatenate(given_axis)
    np.testing.assert_array_equal(layer(xs), np.concatenate(xs, axis))
    assert layer.compute_output_shape([(None, *s[1:]) for s in shapes]) == (None, *layer(xs).shape[1:])
    check_layer(layer, xs, [None] * len(xs), seed=seed)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_mask_of_an_input_with_fewer_axes_does_not_count(name):
    """Its time steps are not the axis that the output has in their place."""
    xs = apart(np.random.default_rng(0), [(2, 4, 3, 2), (2, 3, 2)])
    layer, mask = getattr(layers, name)(), np.array([[True, False, True], [False, True, True]])
    np.testing.assert_array_equal(layer(xs, mask=[None, mask]), layer(xs))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_size_that_one_input_does_not_tell_is_unknown_as_in_keras(name):
    for shapes in ([(5, 4), (None, 4)], [(None, 4), (5, 4)]):
        ours, theirs = (
            getattr(module.layers, name)()([module.Input(shape) for shape in shapes]).shape
            for module in (rnn_core, keras)
        )
        assert ours == theirs == (None, None, 4)


@pytest.mark.parametrize("shapes", [[(5, 4), (5, 4)], [(None, 4), (5, 4)], [(None, 1), (None, 4)], [(4,), (None, 4)]])
@pytest.mark.parametrize("name", [*ELEMENTWISE, "Concatenate"])
def test_symbolic_shapes_as_keras(name, shapes):
    def shape(module):
        return getattr(module.layers, name)()([module.Input(s) for s in shapes]).shape

    if name == "Concatenate" and len(set(map(len, shapes))) > 1:
        with pytest.raises(ValueError, match="one number of dimensions"):
            shape(rnn_core)
    else:
        theirs = shape(keras)
        if name == "Concatenate" and shapes[0] == (None, 4):
            theirs = (None, 5, 8)  # Keras says what it knows of the first input
            assert shape(rnn_core) in [(None, None, 8), theirs]
        else:
            assert shape(rnn_core) == theirs


@pytest.mark.parametrize("name", [*ELEMENTWISE, "Concatenate"])
def test_a_model_takes_one_step_as_keras_and_a_shared_layer_adds_up(name):
    def make(module):
        a, b = module.Input((3, 2)), module.Input((3, 2))
        shared = module.layers.SimpleRNN(4)
        merged = getattr(module.layers, name)()([shared(a), shared(b)])
        return module.Model([a, b], module.layers.Dense(1)(merged))

    draws = np.random.default_rng(0)
    xs = [draws.standard_normal((5, 3, 2)) for _ in range(2)]
    assert_as_keras(make, *xs)
    assert_step_as_keras(make, xs, draws.standard_normal((5, 1)))


def test_one_symbol_merged_with_itself_gets_both_gradients():
    def make(module):
        a = module.Input((3,))
        return module.Model(a, module.layers.Multiply()([a, a, module.layers.Add()([a, a])]))

    assert_as_keras(make, np.random.default_rng(0).standard_normal((4, 3)))


@pytest.mark.parametrize("name", [*ELEMENTWISE, "Concatenate"])
def test_functions_do_what_the_classes_do(name):
    xs = [np.arange(6.0).reshape(2, 3), np.ones((2, 3))]
    function = getattr(layers, name.lower())
    np.testing.assert_array_equal(function(xs), getattr(layers, name)()(xs))
    assert function([rnn_core.Input((3,)), rnn_core.Input((3,))], name="merged").name == "merged"


def test_arrays_with_masks():
    """Arrays can't carry masks: they are given beside them."""
    x = np.array([[[2.0], [3.0]]])
    np.testing.assert_array_equal(layers.Multiply()([x, x], mask=[[[True, False]], None]), [[[4.0], [3.0]]])
    np.testing.assert_array_equal(layers.Maximum()([x, x + 1], mask=[None, [[True, False]]]), [[[3.0], [3.0]]])
    with pytest.raises(ValueError, match="mask must be a list with an entry for each of the 2 inputs"):
        layers.Add()([x, x], mask=np.ones((1, 2)))
    with pytest.raises(ValueError, match="mask must be a bool array of shape"):
        layers.Add()([x, x], mask=[np.ones((1, 3)), None])


BAD = {
    "not a list": (layers.Add, np.ones((2, 3)), "expects a list of inputs, got ndarray"),
    "an empty list": (layers.Add, [], "expects a list of inputs, got an empty one"),
    "other shapes": (layers.Add, [np.ones((2, 3)), np.ones((2, 4))], r"up to axes of size 1, got \(2, 3\), \(2, 4\)"),
    "other batches": (layers.Multiply, [np.ones((2, 3)), np.ones((1, 3))], "all inputs need one batch size"),
    "three to subtract": (layers.Subtract, [np.ones((2, 3))] * 3, "exactly 2 inputs, got 3"),
    "one to subtract": (layers.Subtract, [np.ones((2, 3))], "exactly 2 inputs, got 1"),
    "ranks": (layers.Concatenate, [np.ones((2, 3)), np.ones((2, 3, 1))], "one number of dimensions"),
    "sizes": (layers.Concatenate, [np.ones((2, 3, 1)), np.ones((2, 4, 1))], "the same sizes but along axis -1"),
    "the batch": (lambda: layers.Concatenate(0), [np.ones((2, 3))], "axis must be one of the inputs' but the batch's"),
    "no such axis": (lambda: layers.Concatenate(2), [np.ones((2, 3))], r"got 2 for \(2, 3\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, inputs, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        make()(inputs)


def test_bad_symbols_and_arguments():
    a, b = rnn_core.Input((3,)), rnn_core.Input((4,))
    with pytest.raises(ValueError, match="Add 'one' expects a list of inputs"):
        layers.Add(name="one")(a)
    with pytest.raises(ValueError, match=r"got \(batch, 3\), \(batch, 4\)"):
        layers.Add()([a, b])
    with pytest.raises(TypeError, match="not on a mixture"):
        layers.Add()([a, np.ones((2, 3))])
    with pytest.raises(ValueError, match="axis must be an integer"):
        layers.Concatenate(axis=1.5)
    with pytest.raises(TypeError, match=r"inputs\[1\] must be numeric"):
        layers.Add()([np.ones((1, 2)), np.array([["a", "b"]])])
