"""Figures as files: PNG, SVG and PDF, each with its text as text where the format has text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.report.drawing.figures import style
from s3prl_plugin.report.drawing.figures.curves import layer_curves, weights
from s3prl_plugin.report.drawing.figures.heat_maps import heat_map
from s3prl_plugin.report.matrices import SUFFIX
from s3prl_plugin.report.text.table import WEIGHT, groups
from s3prl_plugin.results import Row, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
DPI = 300
# Nothing that changes from one writing of the same figure to the next.
_TIMELESS: Mapping[str, Mapping[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure, whole or not at all.

    Args:
        figure: what to write.
        path: the file; its ending decides the format: .png (300 dots per inch), .svg or .pdf.

    Returns:
        The file's path.

    Raises:
        UserError: the ending is another one.
    """
    path = Path(path)
    kind = formats(path.suffix.removeprefix(".").lower() or "none")[0]
    with style.in_style(), replacing(path) as file:
        figure.savefig(file, format=kind, dpi=DPI, metadata=dict(_TIMELESS[kind]))
    return path


def formats(text: str) -> tuple[str, ...]:
    """The formats that a text such as "pdf,svg" names.

    Raises:
        UserError: one of them is not possible.
    """
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise UserError(f"figures as {name!r} cannot be written; {did_you_mean(name, FORMATS)}")
    return tuple(dict.fromkeys(names))


def named(runs: Iterable[tuple[Path, Sequence[Row]]]) -> dict[str, Sequence[Row]]:
    """The models of some runs, by the names of their folders.

    Args:
        runs: folders and their rows.

    Returns:
        name -> rows; a number tells apart several models or corpora of a folder, and folders of one name.
    """
    found: dict[str, Sequence[Row]] = {}
    for folder, rows in runs:
        name = folder.resolve().name
        for group in groups(rows):
            taken = sum(other == name or other.rpartition("-")[0] == name for other in found)
            found[f"{name}-{taken + 1}" if taken else name] = group
    return found


def write(
    models: Mapping[str, Sequence[Row]], folder: str | Path, kinds: Sequence[str] = ("png",), *, width: str = "page"
) -> Iterator[Path]:
    """Write every figure that there is something for: of each model, and of all of them together.

    Args:
        models: name -> rows.
        folder: where they go: NAME-layers, NAME-taps (matrices), NAME-weights, and all-layers, all-weights.
        kinds: formats.
        width: "page" or "column".

    Yields:
        The files, as they are written.

    Raises:
        UserError: there is nothing to draw, a format is not possible, or matplotlib is not installed.
    """
    style.require_matplotlib()
    wanted = [(f"{name}-{what}", make) for name, rows in models.items() for what, make in _of_one(name, rows)]
    if len(models) > 1:
        wanted += [(f"all-{what}", make) for what, make in _of_all(models)]
    if not wanted:
        raise UserError(f"{folder}: no layer-wise number to draw; every measure was refused or none was computed")
    for name, make in wanted:
        figure = make(width=width)
        for kind in kinds:
            yield save(figure, Path(folder) / f"{name}.{formats(kind)[0]}")


def _of_one(name: str, rows: Sequence[Row]) -> Iterator[tuple[str, Callable[..., Figure]]]:
    """The figures of one model."""
    if _curves(rows):
        yield "layers", partial(layer_curves, {name: rows})
    if any(row.measure.endswith(SUFFIX) and row.value is not None for row in rows):
        yield "taps", partial(heat_map, rows, name)
    if _weighs(rows):
        yield "weights", partial(weights, {name: rows})


def _of_all(models: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, Callable[..., Figure]]]:
    """The figures of several models."""
    if sum(_curves(rows) for rows in models.values()) > 1:
        yield "layers", partial(layer_curves, {name: rows for name, rows in models.items() if _curves(rows)})
    if sum(_weighs(rows) for rows in models.values()) > 1:
        yield "weights", partial(weights, {name: rows for name, rows in models.items() if _weighs(rows)})


def _curves(rows: Sequence[Row]) -> bool:
    """Whether there is a layer-wise number."""
    return any(row.headline and row.tap is not None and row.value is not None for row in rows)


def _weighs(rows: Sequence[Row]) -> bool:
    """Whether a task learned weights."""
    return any(row.score == WEIGHT and row.tap is not None and row.value is not None for row in rows)
