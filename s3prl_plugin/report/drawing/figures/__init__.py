"""Publication figures with matplotlib: the curves of the report page, as functions that take rows and return a figure.

    from s3prl_plugin import results
    from s3prl_plugin.report import figures

    rows = results.read("result/suite")
    figure = figures.layer_curves(rows, measures=["cca_phone", "mi_phone"], width="column")
    figures.save(figure, "phones.pdf")  # the ending decides the format; text stays text

    models = {"mono_base": results.read("study/mono_base"), "b5_a": results.read("study/b5_a")}
    figures.layer_curves(models)  # one line per model; in a notebook, a cell's last figure is shown
    figures.heat_map(rows)  # how alike the taps are, where cca_matrix or cka_matrix was measured
    figures.weights(rows)  # what the tasks' weighted sums take of each tap

They need matplotlib: pip install 's3prl_plugin[report]'.
"""

from s3prl_plugin.report.drawing.figures.curves import layer_curves, weights
from s3prl_plugin.report.drawing.figures.files import FORMATS, formats, named, save, write
from s3prl_plugin.report.drawing.figures.heat_maps import heat_map
from s3prl_plugin.report.drawing.figures.style import WIDTHS, require_matplotlib

__all__ = [
    "FORMATS",
    "WIDTHS",
    "formats",
    "heat_map",
    "layer_curves",
    "named",
    "require_matplotlib",
    "save",
    "weights",
    "write",
]
