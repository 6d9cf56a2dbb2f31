"""What ``rnn-core tutorial`` prints and draws: one run in full, or the final losses over many seeds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rnn_core.callbacks import Callback
from rnn_core.series import Layout, LinearAutoregression
from rnn_core.tutorial import pictures
from rnn_core.tutorial.task import (
    NETWORK,
    NOISE_VARIANCE,
    SAMPLES,
    TRAIN_SAMPLES,
    TRUTH,
    Tutorial,
    noise_free,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import Console

LINE = LinearAutoregression.name
TEST_SAMPLES = SAMPLES - TRAIN_SAMPLES
REPORTED_EPOCHS = {digit * 10**power for digit in (1, 2, 5) for power in range(12)}


def run(
    seed: int = 0,
    epochs: int = 100,
    batch_size: int = 16,
    step: int = 4,
    layout: Layout = "1xstep",
    dtype: str = "float32",
    output: str | Path = "tutorial_output",
    verbose: bool = False,
) -> Tutorial:
    """Do the tutorial once: print the summary, the progress and the scores; write the pictures into `output`."""
    console = _console()
    tutorial = Tutorial(seed, step, layout, dtype)
    timesteps, features = tutorial.timesteps, tutorial.features
    console.print(
        f"x = sin(0.02 t) + 2 * rand, seed {seed}: {TRAIN_SAMPLES} samples to train on, then {TEST_SAMPLES} to test.\n"
        f"The network predicts each value from the {step} before it.\n"
        f"Its input: {TRAIN_SAMPLES} windows x {timesteps} timesteps x {features} features.\n"
    )
    tutorial.model.summary()
    console.print(f"\nTraining: {epochs:,} epochs in batches of {batch_size:,}")
    seconds = _fit(console, tutorial, epochs, batch_size, verbose)
    console.print(f"  done in {seconds:.2f} s\n")
    scores = tutorial.scores()
    _print_scores(console, tutorial, scores, step)
    _print_recurrence(console, tutorial)
    _write(
        console,
        Path(output),
        {
            "series.png": pictures.series(tutorial.series, TRAIN_SAMPLES, noise_free),
            "prediction.png": pictures.prediction(
                tutorial.series,
                TRAIN_SAMPLES,
                {
                    part: (windows.positions, tutorial.predict(windows))
                    for part, windows in (
                        ("train", tutorial.train.without_padding()),
                        ("test", tutorial.test.without_padding()),
                    )
                },
                noise_free,
                zoom=60 + step,
            ),
            "training.png": pictures.training(
                tutorial.losses,
                {"noise floor": NOISE_VARIANCE, LINE: float(scores["train"][LINE])},
            ),
        },
    )
    return tutorial


def run_seeds(
    count: int,
    seed: int = 0,
    epochs: int = 100,
    batch_size: int = 16,
    step: int = 4,
    layout: Layout = "1xstep",
    dtype: str = "float32",
    output: str | Path = "tutorial_output",
    verbose: bool = False,
) -> dict[str, list[float]]:
    """Do the tutorial for `count` seeds from `seed` on; print every final loss, their mean and their spread."""
    from rich.table import Table

    console = _console()
    console.print(
        f"The tutorial with {count} seeds, {epochs:,} epochs each. Every seed draws its own series, initial weights "
        f"and shuffles, as every run of the tutorial does. '{TRUTH}' is what the noise-free series scores on the same "
        "train windows: how lucky or unlucky the noise of that seed is.\n"
    )
    columns: dict[str, list[float]] = {"train loss": [], "test loss": [], TRUTH: []}
    start = time.perf_counter()
    width = max(len("seed"), len(str(seed + count - 1)))
    console.print("  ".join([f"{'seed':>{width}}", *(f"{name:>13}" for name in columns)]))
    for current in range(seed, seed + count):
        tutorial = Tutorial(current, step, layout, dtype)
        tutorial.fit(epochs, batch_size, verbose=2 if verbose else 0)
        columns["train loss"].append(tutorial.evaluate(tutorial.train))
        columns["test loss"].append(tutorial.evaluate(tutorial.test))
        columns[TRUTH].append(tutorial.noise_free_loss(tutorial.train))
        console.print("  ".join([f"{current:>{width}}", *(f"{values[-1]:>13.4f}" for values in columns.values())]))

    table = Table(title=f"\nOver {count} seeds, in {time.perf_counter() - start:.1f} s", title_justify="left")
    table.add_column("mean squared error")
    for heading in ("mean", "standard deviation", "smallest", "largest"):
        table.add_column(heading, justify="right")
    for name, values in columns.items():
        figures = (np.mean(values), np.std(values, ddof=1), np.min(values), np.max(values))
        table.add_row(name, *(f"{figure:.4f}" for figure in figures))
    console.print(table)
    console.print(
        f"Noise floor {NOISE_VARIANCE:.4f}, the variance of 2 * rand. "
        "The tutorial's author got a train loss of 0.3533 in one run with Keras.\n"
    )
    _write(console, Path(output), {"seeds.png": pictures.seeds(range(seed, seed + count), columns)})
    return columns


class EpochLines(Callback):
    """A line at epochs 1, 2, 5, 10, 20, 50, .. and after 5 silent seconds; in a terminal a bar between them."""

    def __init__(self, console: Console, epochs: int) -> None:
        super().__init__()
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs = epochs
        self.bar = Progress(
            TextColumn("  epoch {task.completed}/{task.total}"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("", total=epochs)
        self.last_line = time.monotonic()

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar; print the line if it is time."""
        done = epoch + 1
        loss = f"train loss {(logs or {})['loss']:.4f}"
        self.bar.update(self.task, completed=done, description=loss)
        if done in REPORTED_EPOCHS or done == self.epochs or time.monotonic() - self.last_line > 5:
            self.last_line = time.monotonic()
            self.bar.console.print(f"  epoch {done:>{len(str(self.epochs))}}/{self.epochs}   {loss}")


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    console.width = min(console.width, 100)  # prose in longer lines is hard to read
    return console


def _fit(console: Console, tutorial: Tutorial, epochs: int, batch_size: int, verbose: bool) -> float:
    start = time.perf_counter()
    if verbose:
        tutorial.fit(epochs, batch_size, verbose=2)
    else:
        with EpochLines(console, epochs) as lines:
            tutorial.fit(epochs, batch_size, callbacks=[lines])
    return time.perf_counter() - start


def _print_scores(console: Console, tutorial: Tutorial, scores: pd.DataFrame, step: int) -> None:
    from rich.table import Table

    table = Table(title="Mean squared error: smaller is better", title_justify="left")
    table.add_column("predictor of the next value")
    for heading in ("train", "test", "train,\nmeasured", "test,\nmeasured"):
        table.add_column(heading, justify="right")
    for name, errors in scores.iterrows():
        table.add_row(
            str(name),
            *(f"{error:.4f}" for error in errors),
            style="bold" if name == NETWORK else None,
            end_section=name in (NETWORK, TRUTH),
        )
    console.print(table)

    console.print(
        f"[bold]Train loss {tutorial.evaluate(tutorial.train):.4f}, "
        f"test loss {tutorial.evaluate(tutorial.test):.4f}.[/] "
        f"The noise floor is {NOISE_VARIANCE:.4f}, the variance of 2 * rand: on new samples no predictor gets below "
        f"it, except by luck. '{TRUTH}' is the series without its noise, so its scores are the floor of just these "
        "samples. The baselines below it are fitted on the train part only, like the network."
    )
    train, test = scores["train"].to_dict(), scores["test, measured"].to_dict()
    best = scores.index[2]
    difference = test[NETWORK] - test[best]
    verdict = "worse" if difference > 0 else "better"
    console.print(
        f"On the measured test values the network is {abs(difference):.4f} {verdict} than the best of them ({best})."
    )
    if train[NETWORK] < train[TRUTH]:
        console.print(f"On train it is below '{TRUTH}': it has learned some of the noise by heart.")
    console.print("One run is one draw: --seeds 20 shows how far such figures spread.\n")
    console.print(
        f"Padding: to have a target for each window, the tutorial repeats the last value of each part {step}x. Those "
        "targets are not measurements; the columns 'measured' leave them out.\n"
    )


def _print_recurrence(console: Console, tutorial: Tutorial) -> None:
    timesteps, features = tutorial.timesteps, tutorial.features
    change = tutorial.recurrent_kernel_change()
    count = f"{features} feature{'s' if features > 1 else ''}"
    parameters = f"{tutorial.recurrent_kernel.size:,} of the {tutorial.model.count_params():,} parameters"
    if timesteps == 1 and change == 0:
        console.print(
            f"[bold]The recurrent kernel U got no gradient:[/] {parameters} are bit for bit what they were before "
            f"training. A window is ONE time step of {count} (T = 1), and the state before it is h0 = 0, "
            "so dL/dU = sum over t of h(t-1)' da(t) = h0' da(1) = 0. What was trained is the plain network "
            f"{features}-32-8-1."
            + (" With --layout stepx1 the values come one by one, and the recurrence is real." if features > 1 else "")
            + "\n"
        )
    else:
        start = float(np.linalg.norm(tutorial.initial_recurrent_kernel))
        console.print(
            f"[bold]The recurrent kernel U was trained:[/] {parameters}. It moved by ||U - U0|| = {change:.3f} from "
            f"||U0|| = {start:.3f}. A window is {timesteps} time steps of one value (T = {timesteps}), and the "
            "gradient runs back through all of them.\n"
        )


def _write(console: Console, folder: Path, figures: dict[str, Figure]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    console.print("Pictures:")
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=150)
        console.print(f"  {folder / name}", markup=False, soft_wrap=True)
