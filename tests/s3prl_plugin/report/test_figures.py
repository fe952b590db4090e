"""Layer curves: what the picture holds, asked of the SVG's text."""

import re

import pytest

pytest.importorskip("matplotlib")

from s3prl_plugin.errors import UserError
from s3prl_plugin.report import figures
from s3prl_plugin.results import Row


def row(tap, value, **changes):
    fields = {
        "upstream": "u",
        "measure": "cca_phone",
        "score": "corrected",
        "headline": True,
        "tap": tap,
        "corpus": "c",
    }
    fields |= {"tap_index": int(tap[-1]), "stride": 320, "block": "enc0", "protocol": "default", "value": value}
    return Row(**{**fields, **changes})


def drawn(tmp_path, rows):
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        return figures.layer_curves(rows, tmp_path / "curves.svg").read_text()


def test_every_tap_measure_and_resolution_is_named(tmp_path):
    rows = [row("layer0", 0.2), row("layer1", 0.4, stride=640, block="mid"), row("layer0", 0.3, measure="mi_word")]
    text = drawn(tmp_path, rows)
    for word in ("layer0", "layer1", "cca_phone (corrected)", "mi_word (corrected)", "20 ms", "40 ms"):
        assert word in text


def test_resolutions_have_colours_of_their_own(tmp_path):
    text = drawn(tmp_path, [row("layer0", 0.2), row("layer1", 0.4, stride=640)]).lower()
    colours = set(re.findall(r"#[0-9a-f]{6}", text))
    assert {c.lower() for c in figures.COLOURS[:2]} <= colours


def test_the_picture_carries_its_warnings(tmp_path):
    text = drawn(tmp_path, [row("layer0", 0.2, weights="random", corpus_kind="generated")])
    assert "random weights" in text
    assert "not a finding about speech" in text


def test_a_png_can_be_opened(tmp_path):
    from matplotlib.image import imread

    picture = imread(figures.layer_curves([row("layer0", 0.2), row("layer1", 0.3)], tmp_path / "deep" / "curves.png"))
    assert picture.shape[0] > 100
    assert picture.std() > 0


def test_nothing_to_draw_is_said(tmp_path):
    with pytest.raises(UserError, match="no layer-wise number"):
        figures.layer_curves([row("layer0", None, refused="too few rows")], tmp_path / "x.png")
