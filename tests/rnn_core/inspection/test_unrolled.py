"""The model unrolled in time: boxes for all that is computed, arrows for all that is read."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from rnn_core.figures import VERMILLION
from rnn_core.inspection import pictures
from rnn_core.inspection.pages.model_report import model_sections
from rnn_core.layers import (
    RNN,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalMaxPooling1D,
    Input,
    JordanCell,
    JordanRNN,
    Masking,
    RepeatVector,
    Reshape,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
    TimeDistributed,
)
from rnn_core.models import Model, Sequential

from ..finite_differences import examples


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def arrows(figure, back=False):
    """Return start and end of every arrow: those upwards, or those from step to step."""
    from matplotlib.patches import FancyArrowPatch

    found = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    return [p._path_original.vertices for p in found if (p.get_edgecolor()[:3] == to_rgb(VERMILLION)) == back]


def boxes(figure):
    """Return (left, low, right, high) of every box."""
    from matplotlib.patches import FancyBboxPatch

    found = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    return [(p.get_x(), p.get_y(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in found]


def symbols(figure):
    return [text for text in texts(figure) if text.startswith("$")]


def test_a_stack_of_cells_has_a_row_for_each():
    stack = RNN([SimpleRNNCell(3, "relu"), SimpleRNNCell(5)], name="stack")
    figure = pictures.unrolled(Sequential([Input((4, 2)), stack, Dense(1)]))
    shown = texts(figure)
    assert "stack/simple_rnn_cell\nSimpleRNNCell, relu\n18 parameters" in shown
    assert "stack/simple_rnn_cell_1\nSimpleRNNCell, tanh\n45 parameters" in shown
    assert {"K: 2 x 3", "U: 3 x 3", "K: 3 x 5", "U: 5 x 5", "kernel: 5 x 1"} <= set(shown)
    for cell, units in ((1, 3), (2, 5)):
        assert [text for text in shown if f"h^{{({cell})}}" in text] == [
            *(f"$h^{{({cell})}}_{{{t}}}$" for t in range(4)), f"$h^{{({cell})}}_{{-1}}$"
        ]  # fmt: skip
        assert shown.count(f"{units} units") == 4
    heights = Counter(start[1] for start, _ in arrows(figure, back=True))
    assert sorted(heights.values()) == [4, 4]
    assert len(arrows(figure)) == 4 + 4 + 1 + 1  # into both cells at every step, then of the last step alone


def test_a_jordan_cell_in_a_stack_feeds_back_what_it_puts_out():
    cells = [SimpleRNNCell(3), JordanCell(5, 2, decay=0.5), SimpleRNNCell(4)]
    figure = pictures.unrolled(Sequential([Input((3, 2)), RNN(cells, return_sequences=True), Dense(1)]))
    shown = texts(figure)
    assert {"K: 2 x 3", "U: 3 x 3", "K: 3 x 5", "V: 5 x 2", "K: 2 x 4", "U: 4 x 4", "$c^{(2)}_0$"} <= set(shown)
    (label,) = [text for text in shown if text.startswith("U: 2 x 5")]
    assert "c^{(2)}_{t+1} = 0.5 c^{(2)}_t + y^{(2)}_t" in label
    down = [(start, end) for start, end in arrows(figure, back=True) if end[1] < start[1] - 50]
    assert len(down) == 3
    assert len(arrows(figure, back=True)) == 9
    assert shown.count("output") == 3


def test_a_stack_in_a_graph_or_in_a_direction_is_drawn_by_itself():
    x = Input((3, 2))
    stack = [SimpleRNNCell(3), StackedRNNCells([SimpleRNNCell(2), SimpleRNNCell(4)])]
    ways = Bidirectional(RNN(stack, return_sequences=True, name="rnn"), name="ways")(x)
    model = Model(x, RNN([SimpleRNNCell(1), SimpleRNNCell(1)], name="above")(ways))
    back = pictures.unrolled(model, "ways/backward_rnn")
    assert {"ways/backward_rnn/stacked_rnn_cells/simple_rnn_cell_1\nSimpleRNNCell, tanh\n28 parameters"} < set(
        texts(back)
    )
    assert [text for text in texts(back) if text.startswith("step")] == [f"step {t}, reads {2 - t}" for t in range(3)]
    assert texts(pictures.unrolled(model, "above")).count("1 unit") == 6
    model.compile(loss="mse")
    draws = np.random.default_rng(0)
    page = "".join(model_sections(model, draws.standard_normal((20, 3, 2)), draws.standard_normal(20))[0].parts)
    assert page.count("unrolled in time") == 3
    assert "above</code> unrolled" in page


def test_what_stands_before_the_first_step():
    x, start = Input((3, 2)), Input((4,))
    given = Model([x, start], SimpleRNN(4, name="rnn")(x, initial_state=start))
    both = Model([x, start], Bidirectional(SimpleRNN(4, name="rnn"), name="ways")(x, initial_state=[start, start]))
    kept = Sequential([Input(batch_shape=(2, 3, 2)), SimpleRNN(4, stateful=True)])
    true_outputs = Input((3, 1))
    forced = Model([x, true_outputs], JordanRNN(4, 1)([x, true_outputs]))
    for model, layer, initial in (
        (given, None, "given"), (both, "ways/backward_simple_rnn", "given"), (kept, None, "kept"), (forced, None, "= 0")
    ):  # fmt: skip
        assert texts(pictures.unrolled(model, layer)).count(initial) == 1


@pytest.mark.parametrize("steps", [3, 60])
def test_a_layer_that_reads_its_input_from_the_end_runs_from_right_to_left(steps):
    """Above another layer; the first one sets the order of the columns."""
    lower = SimpleRNN(3, return_sequences=True, go_backwards=True)
    figure = pictures.unrolled(Sequential([Input((steps, 2)), lower, SimpleRNN(2, go_backwards=True), Dense(1)]))
    (axes,) = figure.axes
    place = {text.get_text(): text.get_position() for text in axes.texts}
    last = steps - 1
    assert place["$x_{0}$"][0] == place[f"$h^{{(1)}}_{{{last}}}$"][0] == place["$h^{(2)}_{0}$"][0]
    assert place[f"$x_{{{last}}}$"][0] == place["$h^{(1)}_{0}$"][0] == place[f"$h^{{(2)}}_{{{last}}}$"][0]
    assert place["Dense"][0] == place[f"$h^{{(2)}}_{{{last}}}$"][0]
    assert place["$h^{(2)}_{-1}$"][0] > place["$h^{(2)}_{0}$"][0]
    low = min(start[1] for start, _ in arrows(figure, back=True))
    assert all((end[0] > start[0]) == (start[1] == low) for start, end in arrows(figure, back=True))


def test_what_mixes_steps_is_one_box_over_all_that_reads_every_step():
    flat = pictures.unrolled(Sequential([Input((4, 2)), SimpleRNN(3, return_sequences=True), Flatten(), Dense(1)]))
    assert "(4, 3) to (12)" in texts(flat)
    assert len(arrows(flat)) == 4 + 4 + 1 + 1
    coder = [Input((4, 2)), SimpleRNN(3), RepeatVector(2), SimpleRNN(5, return_sequences=True), Dense(1)]
    figure = pictures.unrolled(Sequential(coder))
    assert len(arrows(figure)) == 4 + 1 + 2 + 2 + 2  # the last state in, once for every step out
    assert texts(figure).count("5 units") == 2


def test_indices_are_read_step_by_step():
    figure = pictures.unrolled(Sequential([Input((3,)), Embedding(10, 4), SimpleRNN(2)]))
    assert texts(figure).count("1 index") == 3
    assert symbols(figure)[:3] == ["$x_{0}$", "$x_{1}$", "$x_{2}$"]


@pytest.mark.parametrize(
    ("shape", "asked", "message"), [((None, 1), None, "timesteps must say"), ((4, 1), 3, "takes 4")]
)
def test_steps_are_those_of_the_model(shape, asked, message):
    with pytest.raises(ValueError, match=message):
        pictures.unrolled(Sequential([Input(shape), SimpleRNN(2)]), timesteps=asked)
    assert texts(pictures.unrolled(Sequential([Input(shape), SimpleRNN(2)]), timesteps=4)).count("2 units") == 4


class ALayerWithARatherLongName(Dense):
    pass


@st.composite
def chains(draw):
    """Draw layers of all kinds in a chain, with a recurrent one."""
    steps, units = draw(st.sampled_from([1, 2, 3, 9, 200])), st.sampled_from([1, 3, 1000])
    flag = st.booleans()

    def recurrent(sequences):
        kind = draw(st.sampled_from([SimpleRNN, RNN, JordanRNN]))
        options = {"return_sequences": sequences, "go_backwards": draw(flag)}
        if kind is SimpleRNN:
            return SimpleRNN(draw(units), **options)
        if kind is JordanRNN:
            return JordanRNN(3, draw(units), decay=draw(st.sampled_from([0.0, 0.5])), **options)
        cells = [
            SimpleRNNCell(draw(units)) if draw(flag) else JordanCell(4, draw(units), decay=0.25)
            for _ in range(draw(st.integers(1, 3)))
        ]
        return RNN(cells, **options)

    start = draw(st.integers(0, 2))
    layers = [
        [Input((steps, 2)), *([Masking()] if draw(flag) else [])],
        [Input((steps,)), Embedding(7, 2)],
        [Input((2 * steps,)), Reshape((steps, 2))],
    ][start]
    layers += [recurrent(True) for _ in range(draw(st.integers(0, 2)))]
    if draw(flag):
        layers.append(draw(st.sampled_from([Dropout(0.1), Activation("relu"), TimeDistributed(Dense(3))])))
    end = draw(st.integers(0, 3))
    layers += [
        [recurrent(False)],
        [recurrent(True), ALayerWithARatherLongName(2)],
        [recurrent(True), draw(st.sampled_from([Flatten(), GlobalMaxPooling1D()])), Dense(1)],
        [recurrent(False), Dense(6), RepeatVector(3), recurrent(draw(flag)), Dense(1)],
    ][end]
    return Sequential(layers)


@examples(12)
@given(model=chains())
def test_every_arrow_leads_from_a_box_to_a_box_and_no_text_leaves_its_place(model):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = pictures.unrolled(model)
    (axes,) = figure.axes
    found = boxes(figure)
    for i, (left, low, right, high) in enumerate(found):
        for other in found[:i]:
            assert other[2] <= left or right <= other[0] or other[3] <= low or high <= other[1]
    tops = {(height, left, right) for left, _, right, height in found}
    bottoms = {(low, left, right) for left, low, right, _ in found}

    def at(x, y, edges):
        return any(np.isclose(y, height) and left <= x <= right for height, left, right in edges)

    dots = [text.get_position() for text in axes.texts if text.get_text() == "…"]
    outputs = [text.get_position() for text in axes.texts if text.get_text() == "output"]
    for (x0, y0), (x1, y1) in arrows(figure):
        assert at(x0, y0, tops)
        assert at(x1, y1, bottoms) or any(x1 == x and y1 < y < y1 + 20 for x, y in outputs)
    for (x0, y0), (x1, y1) in arrows(figure, back=True):
        for x, y in ((x0, y0), (x1, y1)):
            side = any(np.isclose(x, (left, right)).any() and low < y < high for left, low, right, high in found)
            assert side or any(abs(x - a) < 50 and abs(y - b) < 21 for a, b in dots)

    renderer = FigureCanvasAgg(figure).get_renderer()
    whole = figure.get_window_extent(renderer)
    extents = [text.get_window_extent(renderer) for text in axes.texts if text.get_text()]
    for extent in extents:
        assert whole.x0 <= extent.x0
        assert extent.x1 <= whole.x1
        assert whole.y0 <= extent.y0
        assert extent.y1 <= whole.y1
    for a, b in combinations(extents, 2):
        assert not a.padded(-2).overlaps(b.padded(-2))
    for text in axes.texts:  # what stands in a box stays there
        x, y = text.get_position()
        extent = text.get_window_extent(renderer).transformed(axes.transData.inverted())
        for left, low, right, high in found:
            if left < x < right and low < y < high:
                assert left <= extent.x0
                assert extent.x1 <= right
