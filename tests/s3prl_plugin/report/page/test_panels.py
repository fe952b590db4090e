"""What is drawn in one chart."""

from pathlib import Path

import page_rows

from s3prl_plugin.report.page.models import Model
from s3prl_plugin.report.page.panels import panels


def models(measure, **fields):
    return [Model(name, (Path(name),), tuple(page_rows.layers(name, measure, **fields))) for name in ("a", "b")]


def test_models_stand_side_by_side_where_the_other_view_is_the_same():
    for measure, fields in (("cca_phone", {}), ("cca_inter", {"tap2": "layer0", "upstream2": "c"})):
        (panel,) = panels(models(measure, **fields))
        assert list(panel.models) == ["a", "b"]


def test_models_with_a_base_tap_of_their_own_are_not_drawn_together():
    found = panels(models("cca_intra", tap2="enc0.pre"))
    assert [list(panel.models) for panel in found] == [["a"], ["b"]]
    assert [panel.title.endswith(f"in {name}") for panel, name in zip(found, "ab", strict=True)] == [True, True]
    (alone,) = panels(models("cca_intra", tap2="enc0.pre")[:1])
    assert not alone.title.endswith("in a")
