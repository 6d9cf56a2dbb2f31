"""The table that ``model.summary()`` prints, character for character that of Keras 3."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print a model's layers, their output shapes and their numbers of parameters.

    Parameters
    ----------
    model : Sequential or Model
    line_length : int, optional
        Width of the table. Default: 88, with `Connected to` 108; 12 more with `show_trainable`; at most 4 less than the
        terminal's.
    positions : sequence of float, optional
        Where each column ends, as parts of the width. Default ``[0.45, 0.8, 1.0]``, with `Connected to`
        ``[0.3, 0.56, 0.74, 1.0]``.
    print_fn : callable, optional
        Gets the whole text in one call. Default: printed in colour where the terminal has colours.
    expand_nested : bool
        Whether the layers of nested models get rows of their own.
    show_trainable : bool
        Whether to add a column that tells which layers are trained (Y), frozen (N) or have no weights (-).
    layer_range : (str, str), optional
        Names, or regular expressions that match them, of the first and the last layer to show.

    Raises
    ------
    ValueError
        If a column gets less than 4 characters, or if `layer_range` is not a pair of names of layers.

    Notes
    -----
    Follows ``keras/src/utils/summary_utils.py``. Where a model is more than layers in a row, `Connected to` names what
    each layer reads: ``dense[1][0]`` is output 0 of the second call of ``dense``. Once the optimizer is built, its
    variables are counted too: for RMSprop a velocity for each weight, the step count and the learning rate.

    In Keras, masks in a functional model have rows of their own (``not_equal``, ``any``); here they travel unseen.
    """
    import shutil

    from rich.console import Console
    from rich.markup import escape

    connected = _connections(model)
    columns = [("Layer (type)", "left"), ("Output Shape", "left"), ("Param #", "right")]
    width = 88
    if connected is None:
        positions = list(positions or [0.45, 0.80, 1.0])
    else:
        positions = list(positions or [0.3, 0.56, 0.74, 1.0])
        columns.append(("Connected to", "left"))
        width = 108
    if show_trainable:
        positions = [0.9 * p for p in positions] + [1.0]
        columns.append(("Trainable", "center"))
        width += 12
    if not line_length:
        line_length = min(width, shutil.get_terminal_size().columns - 4)

    table = _new_table(columns, positions, line_length)
    start, stop = _layer_bounds(model.layers, layer_range)
    for layer in model.layers[start:stop]:
        for row in _rows(layer, connected, expand_nested, show_trainable):
            table.add_row(*row)

    if print_fn:
        console = Console(highlight=False, force_terminal=False, color_system=None)
        console.begin_capture()
    else:
        console = Console(highlight=False)
    console.print(f'[bold]Model: "{escape(model.name)}"[/]')
    console.print(table)
    for title, weights in _totals(model):
        count, size = sum(w.size for w in weights), readable_size(sum(w.nbytes for w in weights))
        console.print(f"[bold] {title} params: [/]{_number(f'{count:,}')} ({size})")
    if print_fn:
        print_fn(console.end_capture())


def readable_size(size: float) -> str:
    """Return a number of bytes with its unit.

    Examples
    --------
    >>> readable_size(4 * 1457), readable_size(0)
    ('5.69 KB', '0.00 B')
    """
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _new_table(columns: Sequence[tuple[str, Any]], positions: Sequence[float], line_length: int) -> Table:
    """Return an empty table with its columns ending at `positions`."""
    from rich.table import Column, Table

    ends = [int(position * line_length) for position in positions]
    widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if min(widths) < 4:
        raise ValueError(
            f"summary: line_length={line_length} leaves columns of {widths} characters; each needs 4 or more."
        )
    headers = [Column(title, justify=side, width=width) for (title, side), width in zip(columns, widths, strict=False)]
    return Table(*headers, width=line_length, show_lines=True)


def _connections(model: Any) -> dict[Any, str] | None:
    """Return what each layer reads, as text; None for layers in a row, each called once."""
    graph = getattr(model, "graph", None)
    if graph is None or not model.built:
        return None
    before = set(graph.inputs)
    in_a_row = len(before) == 1 and len({step.layer for step in graph.steps}) == len(graph.steps)
    for step in graph.steps:
        in_a_row = in_a_row and len(step.sources) == 1 and step.sources[0] in before
        before = set(step.targets)
    if in_a_row:
        return None
    text = dict(zip(graph.inputs, (f"{name}[{_number(0)}][{_number(0)}]" for name in model.input_names), strict=True))
    for step in graph.steps:
        label = f"{step.layer.name}[{_number(step.number)}]"
        text |= {place: f"{label}[{_number(i)}]" for i, place in enumerate(step.targets)}
    read: dict[Any, list[str]] = {}
    for step in sorted(graph.steps, key=lambda step: step.number):
        read.setdefault(step.layer, []).extend(text[place] for place in step.sources)
    return {layer: ", ".join(read.get(layer, ["-"])) for layer in model.layers}


def _rows(
    layer: Any, connected: dict[Any, str] | None, expand_nested: bool, show_trainable: bool, level: int = 0
) -> Iterable[list[str]]:
    """Yield the row of a layer, and those of the layers in it."""
    from rich.markup import escape

    indent = "   " * level + "└ " if level else ""
    kind = f"[color(33)]{escape(type(layer).__name__)}[/]"
    params = _number(f"{layer.count_params():,}") if layer.built else f"{_number(0)} (unbuilt)"
    row = [f"{escape(indent + layer.name)} ({kind})", _shape_text(layer.output_shape), params]
    if connected is not None:
        row.append(connected.get(layer, "-"))
    if show_trainable:
        if not layer.weights:
            row.append("[bold]-[/]")
        else:
            row.append("[bold][color(34)]Y[/][/]" if layer.trainable else "[bold][color(9)]N[/][/]")
    yield row
    if expand_nested:
        for inner in getattr(layer, "layers", ()):
            yield from _rows(inner, connected, expand_nested, show_trainable, level + 1)


def _number(value: Any) -> str:
    """Return a number in the colour of numbers, None in its own."""
    return f"[color({45 if value is None else 34})]{value}[/]"


def _shape_text(shape: Any) -> str:
    """Return a shape, a list of shapes, or '?' for one that is not known yet."""
    if shape is None:
        return "?"
    if isinstance(shape, list) or (shape and isinstance(shape[0], (tuple, list))):
        shapes = [_shape_text(item) for item in shape]
        return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"
    return f"({', '.join(_number(size) for size in shape)})"


def _totals(model: Any) -> list[tuple[str, list[Any]]]:
    """Return which arrays each line below the table counts."""
    totals = [
        ("Trainable", list(model.trainable_weights)),
        ("Non-trainable", list(model.non_trainable_weights)),
    ]
    if model.optimizer is not None and model.optimizer.built:
        totals.append(("Optimizer", list(model.optimizer.variables)))
    return [("Total", [array for _, arrays in totals for array in arrays]), *totals]


def _layer_bounds(layers: Sequence[Any], layer_range: Sequence[str] | None) -> tuple[int, int]:
    """Return the slice of `layers` from the first match of one end of the range to the last of the other."""
    if layer_range is None:
        return 0, len(layers)
    if (
        not isinstance(layer_range, (list, tuple))
        or len(layer_range) != 2
        or not all(isinstance(name, str) for name in layer_range)
    ):
        raise ValueError(f"layer_range must be two names of layers, got {layer_range!r}.")
    first, last = ([i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in layer_range)
    if not first or not last:
        names = ", ".join(layer.name for layer in layers)
        raise ValueError(f"layer_range={layer_range!r} matches no layers; the model has {names}.")
    if min(first) > max(last):
        first, last = last, first
    return min(first), max(last) + 1
