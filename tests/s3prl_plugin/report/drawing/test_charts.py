"""The chart functions: what they draw from planted rows, and that Vega-Lite accepts every chart without a warning."""

import json
from dataclasses import replace

import page_rows
import pytest

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.drawing import curves, maps, palette, places

pytest.importorskip("altair", reason="the charts need altair")
vl_convert = pytest.importorskip("vl_convert", reason="vl_convert draws the charts")


def svg(chart):
    """The chart as it is drawn; Vega-Lite's own parser reads the specification."""
    return vl_convert.vegalite_to_svg(chart.to_dict())


def texts(drawn):
    """The words in a drawing, in their order."""
    import xml.etree.ElementTree as ElementTree

    root = ElementTree.fromstring(drawn)
    return ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]


def paths(drawn):
    """The marks in a drawing."""
    import xml.etree.ElementTree as ElementTree

    return list(ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}path"))


def with_outputs(rows):
    """Rows of a model with two outputs after its states."""
    outputs = [
        replace(rows[-1], tap=f"res_out{i}", tap_index=len(rows) + i, block=None, stride=stride)
        for i, stride in enumerate((640, 320))
    ]
    return [*rows, *outputs]


def test_a_curve_shows_every_tap_its_block_and_its_resolution():
    rows = with_outputs(page_rows.layers("hubert", count=6))
    words = texts(svg(curves.layer_curve(rows, width=500)))
    for tap in (row.tap for row in rows):
        assert tap in words
    for word in ("encoder", "middle", "decoder", "outputs", "20 ms", "40 ms", "cca_phone", "hubert", "r"):
        assert any(word in each for each in words)  # a block's two lines are one text


def test_points_have_the_colour_of_their_resolution_whatever_else_is_there():
    fine = [row for row in page_rows.layers("hubert", count=6) if row.stride == 320]
    coarse = [row for row in page_rows.layers("hubert", count=6) if row.stride == 640]
    for rows, absent in ((fine, coarse), (coarse, fine)):
        drawn = svg(curves.layer_curve(rows, width=400))
        assert palette.resolution_style(rows[0].stride)[0] in drawn
        assert palette.resolution_style(absent[0].stride)[0] not in drawn


def test_values_stand_where_the_axis_says():
    rows = page_rows.layers("hubert", count=6, best=2)
    spec = curves.layer_curve(rows, width=400).to_dict()
    points = spec["datasets"]["points"]
    assert [p["value"] for p in points] == pytest.approx([row.value for row in rows], abs=1e-5)
    assert [p["place"] for p in points] == list(range(6))
    low, high = next(
        layer["encoding"]["y"]["scale"]["domain"] for layer in spec["layer"] if layer.get("name") == "point"
    )
    assert low < min(0.0, *(row.ci_low for row in rows))  # chance is 0
    assert high > max(row.ci_high for row in rows)


def test_refused_and_unsure_numbers_look_different():
    rows = page_rows.layers("hubert", count=6)
    rows[1] = page_rows.refused(rows[1:2])[0]
    rows[2] = replace(rows[2], grey="few rows")
    drawn = svg(curves.layer_curve(rows, width=400))
    assert texts(drawn).count("×") == 1
    assert "×" not in texts(svg(curves.layer_curve(page_rows.layers("hubert", count=6), width=400)))
    hollow = [sum(p.get("fill") == palette.PAPER and p.get("stroke") == colour for p in paths(drawn))
              for colour in (palette.resolution_style(320)[0], palette.resolution_style(640)[0])]  # fmt: skip
    assert hollow == [0, 1]


def test_models_of_the_same_taps_stand_tap_by_tap_and_others_by_depth():
    same = {name: page_rows.layers(name, count=6) for name in ("a", "b")}
    assert places.places(same).by_tap
    part = {"a": same["a"], "b": same["b"][:4]}
    assert places.places(part).by_tap
    other = {"a": with_outputs(same["a"]), "b": page_rows.layers("b", count=9)}
    found = places.places(other)
    assert not found.by_tap
    depth = list(found.of["b"].values())
    assert depth == pytest.approx([i / 8 for i in range(9)])
    outputs = [found.of["a"][f"res_out{i}"] for i in range(2)]
    (beyond,) = found.blocks
    assert 1 < beyond.start < min(outputs)
    assert max(outputs) < beyond.end


def test_overlaid_models_have_a_line_each_and_can_be_chosen():
    models = {f"model_{i}": page_rows.layers(f"model_{i}", count=6, seed=i) for i in range(10)}
    chart = curves.overlaid_curves(models, width=500)
    words = texts(svg(chart))
    assert all(name in words for name in models)
    styles = palette.model_styles(list(models))
    assert len(set(styles.values())) == 10
    spec = chart.to_dict()
    (chosen,) = [p for p in spec["params"] if p["name"] == "models"]
    assert chosen["value"] == list(models)
    spec["params"] = [{**p, "value": ["model_3"]} if p["name"] == "models" else p for p in spec["params"]]
    fewer = vl_convert.vegalite_to_svg(spec)
    assert fewer.count('aria-roledescription="line mark"') < svg(chart).count('aria-roledescription="line mark"')


def test_a_heat_map_has_all_pairs_and_marks_what_is_refused():
    rows = page_rows.matrix("hubert", count=6)
    rows[3] = page_rows.refused(rows[3:4])[0]
    rows[4] = replace(rows[4], grey="few rows")
    spec = maps.matrix_chart(rows, "hubert", [0, 1]).to_dict()
    cells = {(c["tap"], c["with"]): c for c in spec["datasets"]["cells"]}
    assert len(cells) == 36
    assert sum(c["value"] is None for c in cells.values()) == 1
    words = texts(svg(maps.matrix_chart(rows, "hubert", [0, 1])))
    assert (words.count("×"), words.count("·")) == (1, 1)


def test_the_grid_is_drawn_once_for_repeated_rows():
    rows = page_rows.grid("a") + page_rows.grid("b")
    spec = maps.grid_mixing(rows, width=300).to_dict()
    (data,) = spec["datasets"].values()
    assert len(data) == 4
    words = texts(svg(maps.grid_mixing(rows, width=300)))
    assert words.count("20%") == 2
    assert words.count("10%") == 2


def test_weights_are_averaged_over_seeds_beside_equal_ones():
    rows = [row for seed, scale in ((1, 0.5), (2, 1.5)) for row in page_rows.task("a", count=6, seed=seed)
            for row in ([replace(row, value=row.value * scale)] if row.score == "weight" else [])]  # fmt: skip
    (curve,) = curves.as_curves(rows).values()
    assert [row.value for row in curve] == pytest.approx([1 / 6] * 6)
    assert [(row.ci_low, row.ci_high) for row in curve] == [pytest.approx((0.5 / 6, 1.5 / 6))] * 6
    assert all(row.chance == pytest.approx(1 / 6) for row in curve)


def test_names_are_words_and_not_expressions():
    evil = '"]+alert(1)+["<b>'
    rows = [replace(row, tap=evil + str(i)) for i, row in enumerate(page_rows.layers(evil, count=6))]
    words = texts(svg(curves.layer_curve(rows, width=500)))
    assert any(word.startswith(evil[:8]) for word in words)
    json.dumps(curves.overlaid_curves({evil: rows}, width=500).to_dict(), allow_nan=False)


@pytest.mark.parametrize("draw", [curves.layer_curve, maps.grid_mixing])
def test_no_rows_are_told(draw):
    with pytest.raises(UserError, match="no rows"):
        draw([])
