"""The weights that tasks learned for their sum over taps, drawn like layer curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.drawing.charts.weights import as_curves
from s3prl_plugin.report.drawing.figures.curves import drawn
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def weights(
    models: Sequence[Row] | Mapping[str, Sequence[Row]], *, width: str = "page", title: str | None = None
) -> Figure:
    """Draw what the weighted sum of every task takes of each tap.

    Marks are means over the seeds of the heads, bars reach from the least to the largest; the dashed line is what equal
    weights would be. How much of a layer goes into a sum also depends on how large its values are.

    Args:
        models: the rows of one upstream, or name -> rows of several.
        width: "page" (three panels side by side) or "column" (below each other).
        title: above the panels; by default what a reader must know of the results.

    Raises:
        UserError: matplotlib is not installed, or no task learned weights.
    """
    named = models if isinstance(models, Mapping) else {models[0].upstream: models} if models else {}
    curves = {name: as_curves(rows) for name, rows in named.items()}
    tasks = dict.fromkeys(task for own in curves.values() for task in own)
    if not tasks:
        raise UserError("no weights to draw: no task with a weighted sum over several taps was run")
    panels = {f"{task}: weights": {name: own[task] for name, own in curves.items() if task in own} for task in tasks}
    return drawn(panels, list(named), width=width, title=title, zero="equal weights")
