"""Behind a layer curve: the network's blocks as bands with their names, and chance as a dashed line.

These layers are named, so that the page can give them the colours of its theme; the figures themselves stay light.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3prl_plugin.report.drawing.charts import palette
from s3prl_plugin.report.drawing.charts.places import Places
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    import altair as alt

SHADE = "#f1f3f5"
LINE = 11  # pixels between two lines of a block's name


def shades(where: Places, x: alt.X) -> list[alt.Chart]:
    """Every other block is shaded, and all are named above the plot.

    Args:
        where: the blocks.
        x: of the chart, whose scale and axis are used.
    """
    import altair as alt

    shared = {"scale": x["scale"], "axis": x["axis"]}
    named = [block for block in where.blocks if block.label]
    if not named:
        return []
    shaded = [{"start": block.start, "end": block.end} for block in (named[1::2] if len(named) > 1 else named)]
    bands = alt.Chart(alt.InlineData(values=shaded), name="shade").mark_rect(color=SHADE)
    words = [
        {"middle": (block.start + block.end) / 2, "words": [w for w in (block.label, block.resolution) if w]}
        for block in named
    ]
    names = alt.Chart(alt.InlineData(values=words), name="blocks")
    names = names.mark_text(baseline="bottom", fontSize=10, lineHeight=LINE, color="#555")
    above = -4 - LINE * (where.lines - 1)  # of the first line; the others follow below it
    return [
        bands.encode(x=alt.X("start:Q", **shared), x2="end:Q"),
        names.encode(x=alt.X("middle:Q", **shared), y=alt.value(above), text="words:N"),
    ]


def chance(rows: Sequence[Row]) -> list[alt.Chart]:
    """What the score would be without any information; the mean of it where taps differ a little."""
    import altair as alt

    known = [row.chance for row in rows if row.chance is not None]
    if not known:
        return []
    mean = round(sum(known) / len(known), 5)
    data = alt.InlineData(values=[{"chance": mean, "what": f"chance: {mean:.3f}"}])
    rule = alt.Chart(data, name="chance").mark_rule(strokeDash=[5, 4], color=palette.NEUTRAL, strokeWidth=1.2)
    ends = {"x": alt.value(0), "x2": alt.value("width")}
    return [rule.encode(y=alt.Y("chance:Q"), tooltip=alt.Tooltip("what:N", title=" "), **ends)]
