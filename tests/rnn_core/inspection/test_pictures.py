"""The pictures say what the numbers say: lines, maps and boxes hold the arrays of the trace."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from rnn_core.inspection import credit, pictures, spectrum, trace
from rnn_core.inspection.pictures.graph_layout import arrange, describe
from rnn_core.layers import (
    RNN,
    Add,
    Bidirectional,
    Dense,
    Input,
    JordanCell,
    JordanRNN,
    Masking,
    SimpleRNN,
    SimpleRNNCell,
)
from rnn_core.models import Model, Sequential
from rnn_core.tutorial import Tutorial, build_model
from rnn_core.utils import plot_model

from ..finite_differences import examples


@pytest.fixture(scope="module")
def small():
    model = Sequential([Input((6, 2)), SimpleRNN(3, name="rnn"), Dense(1, name="out")])
    model.compile(loss="mse", optimizer="rmsprop")
    draws = np.random.default_rng(0)
    return trace(model, draws.standard_normal((5, 6, 2)), draws.standard_normal(5))


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_lines_are_the_hidden_states(small):
    lines = pictures.hidden_states(small, sample=2).axes[0].get_lines()
    np.testing.assert_array_equal([line.get_ydata() for line in lines], small["rnn"].hidden[2].T)


def test_a_map_is_the_hidden_states_of_many_units():
    tutorial = Tutorial(layout="stepx1")
    traced = trace(tutorial.model, tutorial.test.inputs[:3], tutorial.test.targets[:3])
    image = pictures.hidden_states(traced, sample=1).axes[0].images[0]
    np.testing.assert_array_equal(image.get_array(), traced.recurrent().hidden[1].T)
    assert image.norm.vmin == -image.norm.vmax


def test_gradient_norms_are_those_of_the_trace(small):
    line = pictures.gradients(small).axes[0].get_lines()[0]
    expected = np.median(np.linalg.norm(small["rnn"].d_hidden[:, 1:], axis=2), axis=0)
    np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-6)


def test_masked_steps_are_marked_and_count_for_nothing():
    """The median of dL/da is over the samples of which a step is real: padding does not pull it down to 0."""
    model = Sequential([Input((6, 2)), Masking(), SimpleRNN(3, name="rnn"), Dense(1)])
    model.compile(loss="mse", optimizer="rmsprop")
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((5, 6, 2)), draws.standard_normal(5)
    x[:4, 3:] = 0
    t = trace(model, x, y)
    black = next(line for line in pictures.gradients(t).axes[0].get_lines() if line.get_label().startswith("$dL/da_t$"))
    norms = np.linalg.norm(t["rnn"].d_preactivation, axis=2)
    expected = [*np.median(norms[:, :3], axis=0), *norms[4, 3:]]
    np.testing.assert_allclose(black.get_ydata(), expected, rtol=1e-6)
    for sample, marked in ((0, 3), (4, 0)):
        (axes,) = pictures.hidden_states(t, "rnn", sample).axes
        hatched = [patch for patch in axes.patches if patch.get_hatch()]
        assert [round(patch.get_x() + 0.5) for patch in hatched] == list(range(6 - marked, 6))
        assert axes.get_title(loc="right") == ("masked: //, 3 steps" if marked else "")


def test_a_gradient_of_zero_is_said_to_be():
    model = Sequential([Input((6, 2)), SimpleRNN(3, "relu", name="rnn"), Dense(1)])
    model.layers[0].bias, model.layers[1].kernel = np.full(3, -50.0), np.zeros((3, 1))
    model.compile(loss="mse", optimizer="rmsprop")
    t = trace(model, np.ones((5, 6, 2)), np.ones(5))
    assert "exactly zero at every step" in texts(pictures.gradients(t))
    left, right = pictures.reach(credit(t)).axes[0].get_xlim()
    assert left < 0
    assert right > 6


def test_reach_and_eigenvalues(small):
    found = credit(small)
    median = next(line for line in pictures.reach(found).axes[0].get_lines() if line.get_label() == "median sample")
    np.testing.assert_allclose(median.get_ydata(), found.median_norms)
    plane = pictures.eigenvalues(spectrum([[2.0, 0.0], [0.0, 0.5]])).axes[0]
    marked = {line.get_label(): list(line.get_xdata()) for line in plane.get_lines()}
    assert marked == {"on or inside": [0.5], "outside": [2.0]}


def test_every_weight_has_its_map_beside_its_gradient(small):
    figure = pictures.weight_maps(small)
    images = [image for axes in figure.axes for image in axes.images]
    for part in small:
        for name, weight in part.weights.items():
            for values in (weight, part.d_weights[name]):
                shown = [im for im in images if np.array_equal(np.ravel(im.get_array()), np.ravel(values))]
                assert shown
                assert all(im.norm.vmin == -im.norm.vmax for im in shown)


def test_prediction_draws_the_residuals():
    figure = pictures.prediction([1.0, 2.0, 4.0], [[1.5], [2.0], [3.0]], positions=[7, 8, 9])
    residuals = next(
        line for axes in figure.axes for line in axes.get_lines() if list(line.get_ydata()) == [-0.5, 0, 1]
    )
    assert list(residuals.get_xdata()) == [7, 8, 9]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda small: pictures.hidden_states(small, sample=5), "5 samples, got sample 5"),
        (lambda small: pictures.weight_maps(small, "nothing"), r"one of \['rnn', 'out'\], got 'nothing'"),
        (lambda small: pictures.unrolled(small.model, "out"), r"one of \['rnn'\], got 'out'"),
        (lambda small: pictures.prediction([1, 2], [1]), "got 1 and 2"),
        (lambda small: pictures.training_curves({}), "no epochs"),
        (lambda small: pictures.model_graph(small.model, rankdir="BT"), "rankdir"),
    ],
)
def test_what_is_refused(small, call, message):
    with pytest.raises(ValueError, match=message):
        call(small)


def test_the_unrolled_model_has_a_column_for_each_step_and_dots_for_many():
    four = texts(pictures.unrolled(build_model(4, 1)))
    assert [text for text in four if text.startswith("step")] == ["step 0", "step 1", "step 2", "step 3"]
    assert four.count("32 units") == 4
    many = texts(pictures.unrolled(build_model(50, 1)))
    assert [text for text in many if text.startswith("step")] == ["step 0", "step 1", "step 2", "step 49"]
    assert "…" in many
    with pytest.raises(ValueError, match="timesteps"):
        pictures.unrolled(Sequential([Input((None, 1)), SimpleRNN(2)]))


def test_the_graph_tells_what_the_summary_tells():
    model = build_model(1, 4)
    shown = texts(pictures.model_graph(model, show_dtype=True, show_trainable=True))
    for layer in model.layers:
        assert layer.name in shown
        assert f"{layer.count_params():,} parameters" in shown
    assert shown.count("float32") == 4
    assert shown.count("trained") == 3
    assert describe(model).is_chain


@pytest.mark.parametrize("downwards", [True, False])
def test_boxes_and_their_texts_do_not_overlap(downwards):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.patches import FancyBboxPatch

    model = Sequential([Input((4, 1)), SimpleRNN(32, name="a_layer_with_a_very_long_name_indeed"), Dense(1)])
    figure = pictures.model_graph(model, rankdir="TB" if downwards else "LR")
    renderer = FigureCanvasAgg(figure).get_renderer()
    (axes,) = figure.axes
    boxes = [p.get_window_extent(renderer) for p in axes.patches if isinstance(p, FancyBboxPatch)][::2]
    assert len(boxes) == 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for text in axes.texts:
        if "h_" not in text.get_text():
            extent = text.get_window_extent(renderer)
            assert any(box.x0 <= extent.x0 and extent.x1 <= box.x1 for box in boxes), text.get_text()


def test_arrows_that_skip_a_rank_pass_beside_the_boxes():
    placed = arrange(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert [row[0] for row in placed.ranks] == [0, 1, 2, 3] or len(placed.ranks) == 4
    skipping = placed.routes[3]
    assert skipping[0] == 0
    assert skipping[-1] == 3
    assert all(place >= 4 for place in skipping[1:-1])
    assert len(skipping) == 4


@st.composite
def drawn_graphs(draw):
    """Draw a graph of Dense and Add: some layers shared, some read twice, up to three inputs and outputs."""
    places = [Input((2,), name=f"input{i}") for i in range(draw(st.integers(1, 3)))]
    inputs, shared = list(places), Dense(2, name="shared")
    for i in range(draw(st.integers(1, 7))):
        read = [places[draw(st.integers(0, len(places) - 1))] for _ in range(draw(st.integers(1, 3)))]
        if len(read) > 1:
            places.append(Add(name=f"a_sum_with_a_long_name{i}")(read))
        else:
            places.append((shared if draw(st.booleans()) else Dense(2, name=f"d{i}"))(read[0]))
    outputs = places[len(inputs) :][-draw(st.integers(1, 3)) :]
    return Model(inputs, outputs)


@examples(15)
@given(model=drawn_graphs(), downwards=st.booleans())
def test_in_any_graph_boxes_lie_apart_and_arrows_pass_beside_them(model, downwards):
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path

    description = describe(model)
    figure = pictures.model_graph(model, rankdir="TB" if downwards else "LR")
    (axes,) = figure.axes
    boxes = [p for p in axes.patches if isinstance(p, FancyBboxPatch)][::2]
    boxes = [(b.get_x(), b.get_y(), b.get_x() + b.get_width(), b.get_y() + b.get_height()) for b in boxes]
    assert len(boxes) == len(description.nodes)
    for i, (left, low, right, high) in enumerate(boxes):
        for other in boxes[:i]:
            assert other[2] <= left or right <= other[0] or other[3] <= low or high <= other[1]
    arrows = [p for p in axes.patches if isinstance(p, FancyArrowPatch)]
    assert len(arrows) == len(description.edges)
    for arrow in arrows:
        straight = arrow._path_original.cleaned(curves=False).vertices[
            :-1
        ]  # curves as short lines, without the end mark
        line = Path(straight).interpolated(5).vertices
        for left, low, right, high in boxes:
            inside = (
                (line[:, 0] > left + 1) & (line[:, 0] < right - 1) & (line[:, 1] > low + 1) & (line[:, 1] < high - 1)
            )
            assert not inside.any()
    shown = texts(figure)
    assert shown.count("same weights as shared") == sum(node.shares == "shared" for node in description.nodes)
    assert sum(node.params for node in description.nodes) == model.count_params()


def test_layers_around_layers_tell_what_is_inside():
    x = Input((5, 2), name="x")
    steps = Bidirectional(SimpleRNN(3, "relu", return_sequences=True), name="ways")(x)
    stack = RNN([SimpleRNNCell(4), SimpleRNNCell(2)], return_sequences=True, name="stack")(steps)
    model = Model(x, JordanRNN(6, 2, name="jordan")(stack))
    shown = texts(pictures.model_graph(model))
    assert {"SimpleRNN(3)", "SimpleRNNCell(4), SimpleRNNCell(2)", "6 hidden units", "activation: relu"} <= set(shown)
    assert [text for text in shown if text.startswith("$")] == ["$h_{t-1}$", "$h_{t+1}$", "$h_{t-1}$", "$y_{t-1}$"]


def test_loops_tell_what_the_cells_feed_back():
    """Jordan's cell its output, inside RNN, a stack and both directions too."""
    inner = RNN([SimpleRNNCell(4), JordanCell(3, 2)], return_sequences=True)
    jordan = RNN(JordanCell(3, 2), name="jordan")
    figure = pictures.model_graph(Sequential([Input((5, 2)), Bidirectional(inner), jordan]))
    shown = texts(figure)
    assert {"RNN(SimpleRNNCell(4), JordanCell(3, 2))", "JordanCell(3, 2)"} <= set(shown)
    loops = [text for text in shown if text.startswith("$")]
    assert loops == ["$h_{t-1}, y_{t-1}$", "$h_{t+1}, y_{t+1}$", "$y_{t-1}$"]


def test_jordan_s_network_unrolled():
    """Every way back leads from an output down to the hidden units of the next step."""
    from matplotlib.patches import FancyArrowPatch

    from rnn_core.figures import VERMILLION

    figure = pictures.unrolled(Sequential([Input((3, 2)), JordanRNN(6, 1, decay=0.5), Dense(1)]))
    (axes,) = figure.axes
    back = [p._path_original.vertices for p in axes.patches
            if isinstance(p, FancyArrowPatch) and p.get_edgecolor()[:3] == to_rgb(VERMILLION)]  # fmt: skip
    assert len(back) == 3
    assert all(end[0] > start[0] and end[1] < start[1] - 50 for start, end in back)
    shown = texts(figure)
    assert {"K: 2 x 6", "V: 6 x 1", "kernel: 1 x 1"} <= set(shown)
    assert any(text.startswith("U: 1 x 6") and "0.5" in text for text in shown)


def test_one_direction_unrolled():
    model = Sequential([Input((3, 2)), Bidirectional(SimpleRNN(4, name="rnn"), name="ways"), Dense(1)])
    shown = texts(pictures.unrolled(model, "ways/backward_simple_rnn"))
    assert [text for text in shown if text.startswith("step")] == [f"step {t}, reads {2 - t}" for t in range(3)]
    with pytest.raises(ValueError, match=r"one of \['ways/forward_simple_rnn', 'ways/backward_simple_rnn'\]"):
        pictures.unrolled(model)


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_plot_model_writes_what_the_ending_says(tmp_path, ending, start):
    plot_model(build_model(1, 4), to_file=tmp_path / f"model.{ending}", show_shapes=True, show_layer_names=True, dpi=50)
    assert (tmp_path / f"model.{ending}").read_bytes().startswith(start)


def test_plot_model_has_keras_arguments_and_defaults():
    import inspect
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    ours = inspect.signature(plot_model).parameters.values()
    theirs = [p for p in inspect.signature(keras.utils.plot_model).parameters.values() if p.kind is not p.VAR_KEYWORD]
    defaults = {p.name: p.default for p in ours}
    assert [p.name for p in theirs] == [name for name in defaults if name in {p.name for p in theirs}]
    assert {p.name: p.default for p in theirs}.items() <= defaults.items()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"expand_nested": True}, "expand_nested"),
        ({"splines": "curved"}, "splines"),
        ({"rankdir": "BT"}, "rankdir"),
        ({"to_file": "model.docx"}, "to_file must end in"),
        ({"dpi": 0}, "dpi"),
    ],
)
def test_plot_model_refuses_by_name(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        plot_model(build_model(1, 4), **arguments)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="no weights yet"):
        plot_model(Sequential([Dense(1)]), "model.png")


def test_notebooks_are_given_a_png(small):
    """Figures that no window belongs to: without this IPython prints ``<Figure size ...>`` and no picture."""
    figures = [
        pictures.unrolled(small.model),
        pictures.hidden_states(small),
        pictures.eigenvalues(credit(small).spectrum),
        pictures.weight_maps(small),
        pictures.prediction([1, 2], [1, 2]),
    ]
    for figure in figures:
        assert figure._repr_png_().startswith(b"\x89PNG")
