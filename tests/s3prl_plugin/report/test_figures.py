"""Figures for print: what is drawn, read from the specification and the drawing, and what the files hold."""

import itertools
import re
import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

import s3prl_plugin
from s3prl_plugin import commands, results
from s3prl_plugin.errors import UserError
from s3prl_plugin.report import drawing
from s3prl_plugin.report.drawing import figures, printed
from s3prl_plugin.results import Row

pytest.importorskip("altair")
vl_convert = pytest.importorskip("vl_convert")

LAYERS = [
    ("enc0", 320, ("pre", "layer0", "layer1", "layer2", "layer3")),
    ("mid", 640, ("pre", "layer0", "layer1", "layer2", "layer3")),
    ("dec0", 320, ("pre", "layer0", "layer1", "layer2", "layer3")),
]
TAPS = [(f"{block}.{layer}", block, stride) for block, stride, layers in LAYERS for layer in layers]
TAPS += [("res_out0", None, 640), ("res_out1", None, 320)]
MEASURES = ("cca_mel", "cca_intra", "cca_phone", "cca_word", "cca_speaker")
SVG = "{http://www.w3.org/2000/svg}"


def row(tap, value, **changes):
    fields = {"upstream": "u", "measure": "cca_phone", "score": "r2", "headline": True, "tap": tap}
    fields |= {"tap_index": 0, "stride": 320, "block": "enc0", "protocol": "default", "corpus": "c", "value": value}
    return Row(**{**fields, **changes})


def curve(measure="cca_phone", taps=TAPS, height=0.4, **changes):
    """A planted curve: every tap has a value of its own, with an interval around it."""
    return [
        row(tap, v := height + 0.01 * i, measure=measure, tap_index=i, block=block, stride=stride,
            **{"ci_low": v - 0.02, "ci_high": v + 0.03, "chance": 0.05, **changes})
        for i, (tap, block, stride) in enumerate(taps)
    ]  # fmt: skip


def matrix(measure="cka_matrix", score="cka"):
    return [
        row(one, 1 / (1 + abs(i - j)), measure=measure, score=score, headline=False, tap2=other, tap_index=i)
        for i, (one, _, _) in enumerate(TAPS)
        for j, (other, _, _) in enumerate(TAPS)
    ]


def learned(seed, shift=0.0):
    states = TAPS[:15]
    raised = [1 / 15 + shift * (i - 7) for i in range(15)]
    return [
        row(tap, w, measure="SID", score="weight", headline=False, tap_index=i, block=block, stride=stride, seed=seed)
        for i, ((tap, block, stride), w) in enumerate(zip(states, raised, strict=True))
    ]


def panels(figure):
    """title -> the records of that panel."""
    spec = figure.to_dict(validate=False)
    return {
        each["title"]["text"]: spec["datasets"][f"points{i}"] for i, each in enumerate(spec["vconcat"][0]["concat"])
    }


def root(figure):
    return ElementTree.fromstring(printed.as_svg(figure))


def words(figure):
    return [" ".join(each.itertext()) for each in root(figure).iter(f"{SVG}text")]


def boxes(figure):
    """(word, left, right, top, bottom) of every word, by its place and a width of half its height a letter."""
    found = []

    def walk(node, x, y, turned):
        for kind, inside in re.findall(r"(translate|rotate)\(([^)]*)\)", node.get("transform") or ""):
            numbers = [float(n) for n in inside.split(",")]
            if kind == "rotate":
                turned = numbers[0] % 360 in (90, 270)
            elif turned:
                x, y = x + numbers[-1], y - numbers[0]
            else:
                x, y = x + numbers[0], y + (numbers[1] if len(numbers) > 1 else 0)
        if node.tag == f"{SVG}text" and "".join(node.itertext()).strip():
            size = float(node.get("font-size").removesuffix("px"))
            lines = ["".join(line.itertext()) for line in node.iter(f"{SVG}tspan")] or [node.text]
            wide = 0.45 * size * max(map(len, lines))
            start = {"start": 0, "middle": -wide / 2, "end": -wide}[node.get("text-anchor")]
            if not turned:
                found.append((node.text, x + start, x + start + wide, y - 0.6 * size, y))
        for child in node:
            walk(child, x, y, turned)

    walk(root(figure), 0, 0, False)
    return found


def test_a_panel_shows_the_numbers_their_intervals_and_chance():
    rows = curve()
    figure = drawing.layer_curves(rows)
    (records,) = panels(figure).values()
    assert [r["value"] for r in records] == pytest.approx([r.value for r in rows])
    assert [(r["low"], r["high"]) for r in records] == [pytest.approx((r.ci_low, r.ci_high)) for r in rows]
    shown = words(figure)
    assert [word for word in shown if "." in word and word[0].isalpha()] == [tap for tap, _, _ in TAPS[:15]]
    assert "bars: 95 % intervals; dashed: chance" in shown
    lines = [each for each in root(figure).iter(f"{SVG}path") if each.get("aria-roledescription") == "line mark"]
    assert len([each for each in lines if each.get("d").count("L") == 4]) == 3, "a line does not join blocks"


def test_resolutions_differ_in_colour_and_in_shape():
    marks = [each for each in root(drawing.layer_curves(curve())).iter(f"{SVG}path")
             if each.get("aria-roledescription") == "point"]  # fmt: skip
    looks = {(each.get("fill"), re.sub(r"[-\d.]", "", each.get("d"))) for each in marks if each.get("opacity") == "1"}
    assert len(looks) == len({colour for colour, _ in looks}) == len({shape for _, shape in looks}) == 2


def test_what_is_barely_supported_is_hollow_and_what_is_refused_crossed():
    rows = [row("enc0.pre", 0.2, tap_index=0), row("enc0.layer0", 0.3, tap_index=1, grey="few rows")]
    rows += [
        row("enc0.layer1", None, tap_index=2, refused="too few"),
        row("enc0.layer2", 0.3, tap_index=3, trivial=True),
    ]
    figure = drawing.layer_curves(rows)
    shown = words(figure)
    assert shown.count("×") == 1
    assert any("hollow: little support, with itself; ×: refused" in word for word in shown)
    hollow = [each for each in root(figure).iter(f"{SVG}path") if each.get("fill") == "#ffffff" and each.get("stroke")]
    assert len(hollow) == 2


def test_several_models_are_lines_of_their_own_in_the_panels_that_they_share():
    models = {
        "first": curve() + curve("mi_word"),
        "second": curve(height=0.2) + curve("only_here"),
        "third": curve(taps=TAPS[:10], height=0.1) + curve("mi_word", TAPS[:10]),
    }
    figure = drawing.layer_curves(models)
    found = panels(figure)
    assert list(found) == ["cca_phone", "mi_word"]
    names = [record["model"] for record in found["cca_phone"]]
    assert sorted(names.count(name) for name in set(names)) == [10, 17, 17]
    assert {"first", "second", "third"} <= set(words(figure))
    assert list(panels(drawing.layer_curves(models, ["only_here"]))) == ["only_here"]


def test_models_of_different_blocks_stand_by_depth():
    other = [(f"layer{i}", None, 320) for i in range(13)]
    (records,) = panels(drawing.layer_curves({"a": curve(), "b": curve(taps=other)})).values()
    states = sorted(r["place"] for r in records if r["place"] <= 1)
    assert states == pytest.approx(sorted([i / 14 for i in range(15)] + [i / 12 for i in range(13)]), abs=1e-4)


def test_a_matrix_is_drawn_as_it_is():
    figure = drawing.heat_map([*matrix(), *matrix("cca_matrix", "r2")])
    shown = words(figure)
    assert {"cka_matrix (cka)", "cca_matrix (r2)"} <= set(shown)
    names = [tap for tap, _, _ in TAPS]
    taps = [word for word in shown if word in names]
    assert taps == names * 4, "in execution order down and across"
    cells = [each.get("aria-label") for each in root(figure).iter(f"{SVG}path")
             if each.get("aria-roledescription") == "rect mark"]  # fmt: skip
    assert len(cells) == 2 * 17 * 17


def test_weights_are_means_over_seeds_between_their_extremes():
    figure = drawing.weights([*learned(1, 0.002), *learned(2, -0.001)])
    (records,) = panels(figure).values()
    means = [1 / 15 + 0.0005 * (i - 7) for i in range(15)]
    assert [r["value"] for r in records] == pytest.approx(means, abs=1e-5)
    assert "bars: least to largest over seeds; dashed: equal weights" in words(figure)


@pytest.mark.parametrize("width", ["page", "column"])
@pytest.mark.parametrize("count", [1, 10])
def test_no_text_lies_on_another_or_outside(width, count):
    warned = {"weights": "random", "corpus_kind": "generated", "corpus": "a_corpus_of_some_name"}
    models = {
        f"mr_hubert_model_{m}": [r for name in MEASURES[:3] for r in curve(name, height=0.1 * m, **warned)]
        for m in range(count)
    }
    figure = drawing.layer_curves(models, width=width)
    right, bottom = printed._size(printed.as_svg(figure))
    found = boxes(figure)
    for one, other in itertools.combinations(found, 2):
        shared_x = min(one[2], other[2]) - max(one[1], other[1])
        shared_y = min(one[4], other[4]) - max(one[3], other[3])
        assert min(shared_x, shared_y) < 1, f"{one[0]!r} lies on {other[0]!r}"
    for word, left, end, _, low in found:
        assert left > -1, word
        assert end < right + 1, word
        assert low < bottom + 1, word


def test_a_column_of_five_panels_fits_a_page(tmp_path):
    figure = drawing.layer_curves([r for name in MEASURES for r in curve(name)], width="column")
    wide, high = printed._size(printed.as_svg(figure))
    assert wide == 245
    assert high < 9 * 72
    assert len(panels(figure)) == 5


def test_the_picture_carries_its_warnings():
    shown = " ".join(words(drawing.layer_curves(curve(weights="random", corpus_kind="generated", corpus="generated"))))
    assert "random weights" in shown
    assert "not a finding about speech" in shown


def test_letters_are_letters_in_every_file(tmp_path):
    figure = drawing.layer_curves(curve() + curve("mi_word"))
    svg = drawing.save(figure, tmp_path / "deep" / "a.svg").read_text()
    for word in ("enc0.layer3", "cca_phone", "mi_word", "20 ms", "40 ms", "r2"):
        assert re.search(rf"<text[^>]*>{re.escape(word)}</text>", svg), word
    assert 'width="504pt"' in svg
    pdf = drawing.save(figure, tmp_path / "a.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf
    assert b"/ToUnicode" in pdf, "letters can be searched and copied"
    assert b"/Type3" not in pdf
    assert re.search(rb"/MediaBox ?\[0 0 504 ", pdf)
    again = drawing.layer_curves(curve() + curve("mi_word"))
    assert drawing.save(again, tmp_path / "b.svg").read_text() == svg


@pytest.mark.parametrize(("width", "pixels"), [("page", 2100), ("column", 1020)])
def test_a_png_is_as_wide_as_what_it_is_for(tmp_path, width, pixels):
    figure = drawing.layer_curves(curve() + curve("mi_word"), width=width)
    content = drawing.save(figure, tmp_path / "a.png").read_bytes()
    assert struct.unpack(">I", content[16:20])[0] == pytest.approx(pixels, abs=1)


def test_every_way_to_hold_results_gives_the_same_figure(tmp_path):
    pytest.importorskip("pandas")
    rows = curve(checkpoint_sha256="a" * 64, versions={"torch": "2"})
    rows[2] = replace(rows[2], value=None, ci_low=None, ci_high=None, refused="too few")
    results.write(tmp_path / "u", rows)
    frame = s3prl_plugin.load_results(tmp_path / "u", pandas=True)
    records = s3prl_plugin.load_results(tmp_path / "u", pandas=False)
    drawn = [
        panels(drawing.layer_curves(given)) for given in (rows, frame, records, tmp_path / "u", str(tmp_path / "u"))
    ]
    assert all(each == drawn[0] for each in drawn)
    results.write(tmp_path / "v", curve(upstream="other"))
    both = s3prl_plugin.load_results([tmp_path / "u", tmp_path / "v"], pandas=True)
    (found,) = panels(drawing.layer_curves(both)).values()
    assert {record["model"] for record in found} == {"u", "v"}
    with pytest.raises(UserError, match="cannot be drawn"):
        drawing.layer_curves(frame[["tap", "value"]])


def test_the_command_writes_all_that_there_is(tmp_path, capsys):
    results.write(tmp_path / "one", [*curve(), *curve("mi_word"), *learned(1)])
    results.write(tmp_path / "two", [*curve(height=0.2), *matrix()])
    words = ["report", str(tmp_path / "one"), str(tmp_path / "two"), "--figures", str(tmp_path / "f")]
    assert commands.main([*words, "--format", "svg,png", "--width", "column"]) == 0
    names = {"one-layers", "one-weights", "two-layers", "two-taps", "all-layers"}
    assert {p.name for p in (tmp_path / "f").iterdir()} == {f"{n}.{kind}" for n in names for kind in ("svg", "png")}
    assert str(tmp_path / "f" / "all-layers.svg") in capsys.readouterr().out
    assert commands.main([*words, "--format", "jpg"]) == 2
    assert "figures as 'jpg'" in capsys.readouterr().err
    chosen = [*words[:-1], str(tmp_path / "g"), "--measures", "mi_word", "--format", "svg"]
    assert commands.main(chosen) == 0
    (only,) = (tmp_path / "g").iterdir()
    assert only.name == "one-layers.svg"
    assert "cca_phone" not in only.read_text()
    assert commands.main([*chosen[:-3], "mi_wort", "--format", "svg"]) == 2
    assert "no layer curve of 'mi_wort': did you mean 'mi_word'" in capsys.readouterr().err
    both = [*chosen[:-3], "mi_word,cca_phone", "--format", "svg"]
    assert commands.main(both) == 0, "a model that lacks one of them shows the other"


def test_a_folder_of_several_models_gives_each_a_name(tmp_path):
    folders = [tmp_path / "a" / "run", tmp_path / "b" / "run"]
    runs = [(folders[0], [*curve(), *curve(upstream="v")]), (folders[1], curve(upstream="w"))]
    found = figures.named(runs)
    assert {name: rows[0].upstream for name, rows in found.items()} == {"run": "u", "run-2": "v", "run-3": "w"}


def test_nothing_to_draw_is_said(tmp_path):
    refused = [row("enc0.pre", None, refused="too few rows")]
    for draw in (drawing.layer_curves, drawing.heat_map, drawing.weights):
        for rows in (refused, []):
            with pytest.raises(UserError, match=r"no (layer-wise number|matrix|weights)"):
                draw(rows)
    with pytest.raises(UserError, match="no layer-wise number"):
        list(figures.write({"a": refused}, tmp_path))
    with pytest.raises(UserError, match="did you mean 'cca_phone'"):
        drawing.layer_curves(curve(), ["cca_phon"])
    with pytest.raises(UserError, match="width 'colum' of a figure: did you mean 'column'"):
        drawing.layer_curves(curve() + curve("mi_word"), width="colum")
    with pytest.raises(UserError, match="figures as 'jpg'"):
        drawing.save(drawing.layer_curves(curve()), tmp_path / "a.jpg")
