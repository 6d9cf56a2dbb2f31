"""What readers of the tutorial ask, answered from the model itself: ``rnn-core inspect tutorial``.

Every number in the answers is computed here, from networks that were trained for the purpose.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_core.inspection import credit, pictures, trace
from rnn_core.inspection.pages import html
from rnn_core.inspection.pages.html import Section
from rnn_core.models import Sequential
from rnn_core.naming import clear_session
from rnn_core.saving import weight_paths
from rnn_core.series import Layout
from rnn_core.tutorial.task import NOISE_VARIANCE, Tutorial, build_model
from rnn_core.tutorial.trials import (
    Losses,
    Progress,
    conclusion,
    difference_in_words,
    losses_of,
    mean_and_spread,
    paired,
    without_dense_8,
)

Array = NDArray[Any]


def questions(seed: int, seeds: int, epochs: int, progress: Progress) -> list[Section]:
    """Train what is needed and return a section for each question."""
    trained = {}
    for layout in ("1xstep", "stepx1"):
        clear_session()  # so that the layers of both have the names of a first model
        trained[layout] = Tutorial(seed, layout=layout).fit(epochs)
    numbers = range(seed, seed + seeds)

    def all_losses(build: Callable[[int, int], Sequential], layout: Layout, name: str) -> Losses:
        return losses_of(build, numbers, epochs, layout, lambda text: progress(f"{name}: {text}"))

    with_8 = all_losses(build_model, "1xstep", "with Dense(8)")
    without_8 = all_losses(without_dense_8, "1xstep", "without Dense(8)")
    in_time = all_losses(build_model, "stepx1", "windows of shape (4, 1)")
    return [
        three_matrices(seed, trained["1xstep"]),
        why_dense_8(numbers, with_8, without_8),
        elman_or_jordan(trained["stepx1"]),
        one_by_four(seed, trained["1xstep"], trained["stepx1"], numbers, with_8, in_time),
    ]


def three_matrices(seed: int, tutorial: Tutorial) -> Section:
    """What are its three weight matrices?"""
    fresh = Tutorial(seed, layout=tutorial.layout)  # the same weights, before training
    meaning = {
        "simple_rnn/kernel": ("K (W_xh)", "from the input to the hidden state"),
        "simple_rnn/recurrent_kernel": ("U (W_hh)", "from the hidden state to the next one"),
        "simple_rnn/bias": ("b", "added to every hidden unit"),
        "dense/kernel": ("W_1", "from the hidden state to 8 units"),
        "dense/bias": ("b_1", "added to those"),
        "dense_1/kernel": ("W_2 (W_hy)", "from there to the prediction"),
        "dense_1/bias": ("b_2", "added to it"),
    }
    before = weights_by_role(fresh.model)
    rows = []
    for name, after in weights_by_role(tutorial.model).items():
        symbol, role = meaning[name]
        change = float(np.linalg.norm(after - before[name]))
        moved = "0 exactly" if np.array_equal(after, before[name]) else f"{change:.3f}"
        rows.append((f"`{name}`", symbol, " x ".join(map(str, after.shape)), f"{after.size:,}", moved, role))
    shapes = [array.shape for array in tutorial.model.layers[0].get_weights()]
    answer = (
        f"`model.layers[0].get_weights()` returns three arrays of shapes {shapes[0]}, {shapes[1]} and {shapes[2]}: two "
        "matrices and a bias. They are what the recurrence is made of: `h_t = relu(x_t K + h_(t-1) U + b)`. Textbooks "
        "count **three matrices** for a whole Elman network, input to hidden, hidden to hidden, hidden to output. The "
        "third one is not in the recurrent layer: here it is the two Dense kernels, one after the other."
    )
    traced = trace(tutorial.model, tutorial.train.inputs[:64], tutorial.train.targets[:64])
    columns = ["weight", "symbol", "shape", "numbers", "moved by training", "what it does"]
    count = f"{tutorial.model.count_params():,}"
    total = f"All weights, {count} numbers, and how far training moved each from where it started."
    first = tutorial.model.layers[0].name
    zero = "exactly zero" if not traced.recurrent().d_weights["recurrent_kernel"].any() else "not zero"
    return Section(
        "What are its three weight matrices?",
        [
            html.paragraph(answer, "answer"),
            html.table(columns, rows, total),
            html.chart(
                pictures.weight_maps(traced, first),
                "Heat maps of kernel, recurrent kernel and bias on the left, of their gradients on the right.",
                f"The three arrays of the recurrent layer after training, and their gradients. That of the recurrent "
                f"kernel is {zero}.",
            ),
        ],
    )


def why_dense_8(seeds: Sequence[int], with_8: Losses, without_8: Losses) -> Section:
    """Why Dense(8)? Trained with and without it, on the same series."""
    rows = []
    for name, losses in (("with Dense(8)", with_8), ("without", without_8)):
        for part, values in (("train", losses.train), ("test", losses.test)):
            rows.append((name, f"{losses.parameters:,}", part, *mean_and_spread(values)))
    verdict = difference_in_words("Dense(8)", with_8.test, without_8.test)
    learned = difference_in_words("Dense(8)", with_8.train, without_8.train)
    answer = (
        "It puts one more nonlinear layer between the hidden state and the prediction, "
        f"{with_8.parameters:,} parameters instead of {without_8.parameters:,}. Does it help? On the test part: "
        f"{verdict} On the train part: {learned} No predictor gets below {NOISE_VARIANCE:.3f} on new samples, except "
        f"by luck: that is the variance of the noise. {conclusion('Dense(8)', with_8, without_8)}"
    )
    columns = ["network", "parameters", "part", "mean", "standard deviation", "smallest", "largest"]
    caption = f"Mean squared error over {len(seeds)} seeds; each seed draws its own series, weights and shuffles."
    figure = paired(seeds, {"with Dense(8)": with_8, "without": without_8})
    alt = f"Final train and test losses with and without the layer, for {len(seeds)} seeds."
    return Section(
        "Why Dense(8)?",
        [
            html.paragraph(answer, "answer"),
            html.table(columns, rows, caption),
            html.chart(figure, alt, "Both networks saw the same series with each seed. A line joins such a pair."),
        ],
    )


def elman_or_jordan(tutorial: Tutorial) -> Section:
    """Is it Elman or Jordan? Asked of the network: change one and see what the other does."""
    model, x = tutorial.model, tutorial.test.inputs[:64]
    y = tutorial.test.targets[:64]
    before = trace(model, x, y)
    hidden, output = before.recurrent().hidden.copy(), before.output.copy()
    other_outputs, other_hidden = copy.deepcopy(model), copy.deepcopy(model)
    other_outputs.layers[-1].views(other_outputs.layers[-1].vector)["bias"] += 1.0  # every output is one higher
    after = trace(other_outputs, x, y)
    hidden_moved = float(np.abs(after.recurrent().hidden - hidden).max())
    output_moved = float(np.abs(after.output - output).mean())
    rnn = other_hidden.layers[0]
    rnn.views(rnn.vector)["recurrent_kernel"][...] = 0.0  # nothing is carried from step to step
    cut = float(np.abs(trace(other_hidden, x, y).output - output).mean())
    units, outputs = model.layers[0].output_shape[-1], model.output_shape[-1]
    answer = (
        f"**Elman.** What returns at the next step is the hidden state: the recurrent kernel is {units} x {units}, "
        f"from {units} hidden units to {units}. In a Jordan network the output returns, and the matrix would be "
        f"{outputs} x {units}. It can also be tried out: with every output raised by {output_moved:.3g} the "
        "hidden states change by "
        f"{'exactly 0' if hidden_moved == 0 else f'{hidden_moved:.3g}'}, so they do not see the output; with the "
        f"recurrent kernel cut the predictions change by {cut:.3g} on average, so they do see the hidden state before."
    )
    note = (
        "That is the network on windows of shape (4, 1). On the tutorial's own windows, of shape (1, 4), the "
        "sequence is one step long and nothing returns at all: there it is neither, but a plain feed-forward network."
    )
    rows = [
        ("what returns", "hidden state h_(t-1)", "output y_(t-1)"),
        ("its matrix here", f"{units} x {units}", f"{outputs} x {units}"),
        ("hidden state", "relu(x_t K + h_(t-1) U + b)", "relu(x_t K + y_(t-1) U + b)"),
        ("this network", "yes", "no"),
    ]
    source = (
        "J. L. Elman, Finding structure in time, Cognitive Science 14 (1990), 179-211; M. I. Jordan, Serial order: a "
        "parallel distributed processing approach, ICS Report 8604, University of California, San Diego (1986)."
    )
    return Section(
        "Is it Elman or Jordan?",
        [
            html.paragraph(answer, "answer"),
            html.paragraph(note),
            html.table(["", "Elman", "Jordan"], rows, "The two simple recurrent networks. " + source),
            html.chart(
                pictures.elman_or_jordan(),
                "Both networks: in Elman's the way back starts at the hidden state, in Jordan's at the output.",
                "The same boxes, and where the way back begins. Jordan's network is `rnn_core.layers.JordanRNN`.",
            ),
            html.diagram(
                pictures.unrolled(model),
                "The network unrolled over four time steps: the hidden state runs from each step to the next.",
                "What runs from step to step is h, from the recurrent layer to itself. Nothing returns from the "
                "output.",
            ),
        ],
    )


def one_by_four(
    seed: int, one: Tutorial, four: Tutorial, seeds: Sequence[int], one_losses: Losses, four_losses: Losses
) -> Section:
    """What does (1, 4) against (4, 1) change?"""
    rows: list[tuple[str, ...]] = [
        ("time steps T", str(one.timesteps), str(four.timesteps)),
        ("features in each step", str(one.features), str(four.features)),
        ("parameters", f"{one.model.count_params():,}", f"{four.model.count_params():,}"),
    ]
    gradients = [gradient_norms(Tutorial(seed, layout=tutorial.layout)) for tutorial in (one, four)]
    shapes = [weights_by_role(tutorial.model) for tutorial in (one, four)]
    for name in shapes[0]:
        sizes = [" x ".join(map(str, weights[name].shape)) for weights in shapes]
        rows.append((f"shape of `{name}`", *sizes))
    for name in gradients[0]:
        values = [f"{norms[name]:.4f}" if norms[name] else "0 exactly" for norms in gradients]
        rows.append((f"gradient of `{name}`, norm", *values))
    moved = [tutorial.recurrent_kernel_change() for tutorial in (one, four)]
    rows.append(("recurrent kernel, moved by training", *(f"{value:.3f}" if value else "0 exactly" for value in moved)))
    for part in ("train", "test"):
        means = [mean_and_spread(getattr(losses, part)) for losses in (one_losses, four_losses)]
        rows.append((f"{part} loss, {len(seeds)} seeds", *(f"{mean} ± {spread}" for mean, spread, *_ in means)))
    unused = one.recurrent_kernel.size
    verdict = difference_in_words("(4, 1)", four_losses.test, one_losses.test)
    learned = difference_in_words("(4, 1)", four_losses.train, one_losses.train)
    answer = (
        "`(1, 4)` is **one** time step of four features, `(4, 1)` is **four** time steps of one. With one step there "
        f"is no step before: the recurrent kernel gets a gradient of exactly 0, and {unused:,} of the "
        f"{one.model.count_params():,} parameters stay where they started. With four steps they are trained, and the "
        f"kernel is {four.features} x 32 instead of {one.features} x 32. Is the forecast better for it? On the test "
        f"part: {verdict} On the train part: {learned} {conclusion('(4, 1)', four_losses, one_losses)}"
    )
    traced = trace(four.model, four.train.inputs[:64], four.train.targets[:64])
    reaching = credit(traced)
    return Section(
        "What does (1, 4) against (4, 1) change?",
        [
            html.paragraph(answer, "answer"),
            html.table(
                ["", "(1, 4)", "(4, 1)"],
                rows,
                "Side by side; (1, 4) is the tutorial's. Gradients are those of the mean squared error over the "
                "train part, before training; losses are mean and standard deviation.",
            ),
            html.diagram(
                pictures.unrolled(one.model),
                "One column: a single time step.",
                "(1, 4): one step. U is there, but has only zeros to work on.",
            ),
            html.diagram(
                pictures.unrolled(four.model),
                "Four columns, joined by arrows.",
                "(4, 1): four steps, and U between them.",
            ),
            html.chart(
                pictures.gradients(traced),
                "The norm of the gradient at each of the four time steps.",
                "(4, 1), after training: the gradient that reaches each step on its way back.",
            ),
            html.chart(
                pictures.hidden_states(traced),
                "The hidden states of one window over its four steps.",
                "(4, 1), after training: how the hidden state builds up, value by value.",
            ),
            html.chart(
                pictures.reach(reaching),
                "The norm of the Jacobian over the distance in time, from 0 to 4 steps.",
                "(4, 1), after training: how much of a gradient can arrive so many steps further back.",
            ),
            html.chart(
                pictures.eigenvalues(reaching.spectrum),
                f"The eigenvalues of the recurrent kernel and the unit circle; {reaching.spectrum}.",
                f"(4, 1), after training: {reaching.spectrum.outside} of {len(reaching.spectrum.eigenvalues)} "
                "eigenvalues lie outside the circle. Before training all lay on it.",
            ),
            html.chart(
                paired(seeds, {"(1, 4)": one_losses, "(4, 1)": four_losses}),
                f"Final train and test losses of both layouts, for {len(seeds)} seeds.",
                "Both layouts saw the same series with each seed.",
            ),
        ],
    )


def weights_by_role(model: Sequential) -> dict[str, Array]:
    """Return copies of the weights by the names of their layers' classes, whatever the layers are called."""
    return {name: array.copy() for name, array in weight_paths(model).items()}


def gradient_norms(tutorial: Tutorial) -> dict[str, float]:
    """Return the norm of each weight's gradient over the whole train part."""
    traced = trace(tutorial.model, tutorial.train.inputs, tutorial.train.targets)
    names = list(weights_by_role(tutorial.model))
    found = [d_weight for part in traced for d_weight in part.d_weights.values()]
    return {name: float(np.linalg.norm(d_weight)) for name, d_weight in zip(names, found, strict=True)}
