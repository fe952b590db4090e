"""Interactive charts of results: functions that take rows and return an altair chart (a Vega-Lite specification).

They show in notebooks as they are, `chart.to_dict()` is what the report page embeds, and `chart.save("x.svg")` writes
them. They need altair: pip install 's3prl_plugin[report]'.
"""

from s3prl_plugin.report.drawing.charts.curves import as_curves, layer_curve, overlaid_curves
from s3prl_plugin.report.drawing.charts.grid import grid_mixing
from s3prl_plugin.report.drawing.charts.matrices import heat_map
from s3prl_plugin.report.drawing.charts.needed import require_altair

__all__ = ["as_curves", "grid_mixing", "heat_map", "layer_curve", "overlaid_curves", "require_altair"]
