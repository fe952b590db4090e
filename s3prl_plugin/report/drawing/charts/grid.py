"""How many segments a frame mixes at each resolution: what the frame grid alone does to phones and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.drawing.charts import palette
from s3prl_plugin.report.drawing.charts.needed import require_altair
from s3prl_plugin.results import Row
from s3prl_plugin.strides import stride_number

if TYPE_CHECKING:
    import altair as alt

PREFIX = "grid_"
MEANING = {"shared": "share a frame with a neighbour", "outside": "have a frame that reaches outside"}


def grid_mixing(rows: Sequence[Row], **size: Any) -> alt.LayerChart:
    """Per resolution, the share of segments that have a frame in common with a neighbour, or one that reaches outside.

    Args:
        rows: of one measure, grid_phone or grid_word, and one sample of segments; repeated ones count once.
        size: `width` (default: the container's) and `height` in pixels.

    Raises:
        UserError: altair is not installed, or there is nothing to draw.
    """
    require_altair()
    import altair as alt

    found = {(row.stride, row.score): row for row in rows if row.measure.startswith(PREFIX) and row.value is not None}
    if not found:
        raise UserError("there are no rows of grid_phone or grid_word to draw")
    first = next(iter(found.values()))
    kinds = [MEANING[score] for score in MEANING if any(key[1] == score for key in found)]
    values = [
        {
            "resolution": palette.resolution(stride),
            "stride": stride_number(stride) if stride else 0,
            "what": MEANING.get(score, score),
            "share": round(row.value or 0.0, 5),
            "n": row.n,
        }
        for (stride, score), row in sorted(found.items(), key=lambda item: (item[0][0] or 0, item[0][1]))
    ]
    order = palette.resolutions(stride for stride, _ in found)
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("resolution:N", sort=order, title="frame rate", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("what:N", sort=kinds),
        y=alt.Y("share:Q", scale=alt.Scale(domain=[0, 1.08], nice=False), title="share of segments",
                axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1])),
        tooltip=[alt.Tooltip("resolution:N", title="frame rate"), alt.Tooltip("what:N", title="segments that"),
                 alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("n:Q", title="segments", format=",")],
    )  # fmt: skip
    scale = alt.Scale(domain=kinds, range=list(palette.MODEL_COLOURS[: len(kinds)]))
    legend = alt.Legend(orient="bottom", columns=1, labelLimit=260)
    bars = base.mark_bar().encode(
        color=alt.Color("what:N", scale=scale, sort=kinds, title="segments that", legend=legend)
    )
    numbers = base.mark_text(dy=-6, fontSize=10, color="#333").encode(text=alt.Text("share:Q", format=".0%"))
    unit = first.measure.removeprefix(PREFIX)
    whose = f" of {first.downstream}" if first.downstream else ""
    how = f" · means by {first.segments}" if first.segments else ""
    title = alt.TitleParams(
        f"{unit}s on the frame grid", subtitle=f"{first.corpus or ''} · n = {first.n:,}{whose}{how}", anchor="start"
    )
    size = {"width": "container", "height": 180, **size}
    return alt.LayerChart(layer=[bars, numbers], title=title, **size)
