"""Pictures of results by one grammar (altair, Vega-Lite): the report page's charts, and figures for print.

    >>> from s3prl_plugin import load_results
    >>> from s3prl_plugin.report import drawing
    >>> figure = drawing.layer_curves("demo_out", measures=["cca_phone", "mi_phone"], width="column")
    >>> drawing.save(figure, "phones.pdf").name  # the ending decides the format; text stays text
    'phones.pdf'
    >>> lines = drawing.layer_curves(load_results("study_out"))  # a line per model

In a notebook a cell's last figure is shown. `heat_map` draws how alike the taps are (cca_matrix, cka_matrix), and
`weights` what the tasks' weighted sums take of each tap.

Every function takes a folder, what `load_results` returns, rows, or name -> one of these. They need altair, and `save`
needs vl-convert: pip install 's3prl_plugin[report]'.
"""

from s3prl_plugin.report.drawing.figures import FORMATS, WIDTHS, formats, layer_curves, named, save, weights, write
from s3prl_plugin.report.drawing.maps import grid_mixing, heat_map
from s3prl_plugin.report.drawing.needed import require_altair

__all__ = [
    "FORMATS",
    "WIDTHS",
    "formats",
    "grid_mixing",
    "heat_map",
    "layer_curves",
    "named",
    "require_altair",
    "save",
    "weights",
    "write",
]
