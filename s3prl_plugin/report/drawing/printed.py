"""What figures for print share: their widths, which are exact, their headings, and the files they become."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.report.drawing.curves import warnings
from s3prl_plugin.report.drawing.palette import PRINTED
from s3prl_plugin.results import Row, replacing

WIDTHS = {"column": 3.4, "page": 7.0}  # inches: of one column of a paper, and of its text
FORMATS = ("png", "svg", "pdf")
POINTS_PER_INCH = 72
DOTS_PER_INCH = 300
NARROWEST = 30  # points that a panel must have
MOST_TRIES, MOST_OFF = 3, 2  # until a figure has its width, and points that are then left
_ROOT = re.compile(r'(<svg[^>]*?) width="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d.]+ [\d.]+"')


def width_of(name: str) -> float:
    """The width of a figure in points.

    Raises:
        UserError: it is no name of `WIDTHS`.
    """
    if name not in WIDTHS:
        raise UserError(f"width {name!r} of a figure: {did_you_mean(str(name), WIDTHS)}")
    return WIDTHS[name] * POINTS_PER_INCH


def fitted(chart: Any, panels: Sequence[Any], columns: int, width: str | None) -> Any:
    """A chart whose panels are as wide as makes the whole as wide as is wanted, whatever stands beside them.

    Args:
        chart: as a first guess has it.
        panels: of it, whose width and, of squares, height are changed.
        columns: how many of them stand side by side.
        width: a name of `WIDTHS`; None to leave the first guess.
    """
    for _ in range(MOST_TRIES if width is not None else 0):
        off = width_of(width or "") - _size(as_svg(chart))[0]
        if abs(off) < 1:
            break
        for each in panels:
            square = each.width == each.height
            each.width = max(NARROWEST, each.width + off / columns)
            each.height = each.width if square else each.height
    legend = {
        name: value for name, value in PRINTED["legend"].items() if name != "layout"
    }  # which altair does not know
    chart.config = {**PRINTED, "legend": legend}
    chart.usermeta = {"width": round(width_of(width))} if width is not None else {}
    return chart


def heading(rows: Sequence[Row], names: Sequence[str], width: str) -> Any:
    """Whose results these are, with the warnings that a figure must carry when it travels alone."""
    import altair as alt

    said = [*(names if len(names) == 1 else ()), *warnings(rows)]
    text = "  ·  ".join(said).replace("generated speech", "generated speech, not a finding about speech")
    lines = wrap(text, int(WIDTHS[width] * 20)) or [""]
    return alt.TitleParams(lines, anchor="start", fontWeight="normal", fontSize=7.5, offset=6)


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


def save(chart: Any, path: str | Path) -> Path:
    """Write a figure, whole or not at all; its letters stay letters in SVG and PDF.

    Args:
        chart: what a function of this package returns.
        path: the file; its ending decides the format: .png (300 dots per inch), .svg or .pdf.

    Returns:
        The file's path.

    Raises:
        UserError: the ending is another one.
    """

    return write_svg(as_svg(chart), Path(path))


def write_svg(svg: str, path: Path) -> Path:
    """Write what `as_svg` gives as the file's ending says."""
    import vl_convert

    kind = formats(path.suffix.removeprefix(".").lower() or "none")[0]
    if kind == "svg":
        content = _in_points(svg).encode()
    elif kind == "pdf":
        content = vl_convert.svg_to_pdf(svg)
    else:
        content = vl_convert.svg_to_png(svg, scale=1, ppi=DOTS_PER_INCH)
    with replacing(path, len(content)) as file:
        file.write(content)
    return path


def as_svg(chart: Any) -> str:
    """As Vega draws it, a pixel standing for a point; as wide as it is meant to be, where it is a point off."""
    import vl_convert

    spec = chart.to_dict(validate=False)
    spec["config"] = dict(PRINTED)
    drawn = vl_convert.vegalite_to_svg(spec)
    meant = (spec.get("usermeta") or {}).get("width")
    width, height = _size(drawn)
    if meant is None or abs(meant - width) > MOST_OFF:
        return drawn
    root = rf'\1 width="{meant}" height="{height:.0f}" viewBox="0 0 {meant} {height:.0f}"'
    return _ROOT.sub(root, drawn, count=1).replace(f'<rect width="{width:g}"', f'<rect width="{meant}"', 1)


def _size(svg: str) -> tuple[float, float]:
    found = _ROOT.search(svg)
    assert found is not None  # Vega writes it so
    return float(found[2]), float(found[3])


def _in_points(svg: str) -> str:
    """With a size that programs read as points and not as pixels of 1/96 inch."""
    return re.sub(r'width="([\d.]+)" height="([\d.]+)"', r'width="\1pt" height="\2pt"', svg, count=1)
