"""Figures for print: what is drawn, asked of matplotlib's artists, and what the files hold."""

import itertools
import re

import pytest

from s3prl_plugin import commands, results
from s3prl_plugin.errors import UserError
from s3prl_plugin.report.drawing import figures
from s3prl_plugin.results import Row

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure
from matplotlib.text import Text

LAYERS = [
    ("enc0", 320, ("pre", "layer0", "layer1", "layer2", "layer3")),
    ("mid", 640, ("pre", "layer0", "layer1", "layer2", "layer3")),
    ("dec0", 320, ("pre", "layer0", "layer1", "layer2", "layer3")),
]
TAPS = [(f"{block}.{layer}", block, stride) for block, stride, layers in LAYERS for layer in layers]
TAPS += [("res_out0", None, 640), ("res_out1", None, 320)]
MEASURES = ("cca_mel", "cca_intra", "cca_phone", "cca_word", "cca_speaker", "mi_phone", "mi_word", "mi_frames")


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
    """title -> axes, of those that can be seen."""
    return {a.get_title().strip(): a for a in figure.axes if a.get_visible() and a.get_title().strip()}


def points(axis):
    """Every mark: (place, value, colour, marker, face)."""
    found = []
    for line in axis.lines:
        if line.get_marker() not in (None, "None", ""):
            look = (line.get_color(), line.get_marker(), line.get_markerfacecolor())
            found += [(x, y, *look) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]
    return found


def texts(figure):
    """All that is drawn; ticks past the ends of an axis are not."""
    axes = [a for axes in figure.axes for a in (axes.xaxis, axes.yaxis)]
    beyond = set()
    for axis in axes:
        low, high = axis.get_view_interval()
        beyond |= {tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high}
    shown = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in beyond]
    return [t for t in shown if t.axes is None or t.axes.get_visible()]


def test_a_panel_shows_the_numbers_their_intervals_and_chance():
    rows = curve()
    figure = figures.layer_curves(rows)
    assert isinstance(figure, Figure)
    (axis,) = panels(figure).values()
    drawn = sorted(points(axis))
    assert [y for _, y, *_ in drawn] == pytest.approx([r.value for r in rows])
    assert [x for x, *_ in drawn] == list(range(17))
    bars = sorted(tuple(segment[:, 1]) for c in axis.collections for segment in c.get_segments())
    assert bars == [pytest.approx((r.ci_low, r.ci_high)) for r in rows]
    assert [t.get_text() for t in axis.get_xticklabels()] == [tap for tap, _, _ in TAPS]
    assert any(list(line.get_ydata()) == pytest.approx([0.05, 0.05]) for line in axis.lines)
    connected = [
        list(line.get_xdata()) for line in axis.lines if len(line.get_xdata()) > 2 and line.get_linestyle() == "-"
    ]
    assert connected == [list(range(5)), list(range(5, 10)), list(range(10, 15))], "a line does not join blocks"


def test_resolutions_differ_in_colour_and_in_shape():
    (axis,) = panels(figures.layer_curves(curve())).values()
    styles = {stride: set() for stride in (320, 640)}
    for (_, _, stride), (_, _, colour, marker, _) in zip(TAPS, sorted(points(axis)), strict=True):
        styles[stride].add((colour, marker))
    ((one,), (other,)) = styles.values()
    assert one[0] != other[0]
    assert one[1] != other[1]


def test_what_is_barely_supported_is_hollow_and_what_is_refused_crossed():
    rows = [row("enc0.pre", 0.2, tap_index=0), row("enc0.layer0", 0.3, tap_index=1, grey="few rows")]
    rows += [
        row("enc0.layer1", None, tap_index=2, refused="too few"),
        row("enc0.layer2", 0.3, tap_index=3, trivial=True),
    ]
    figure = figures.layer_curves(rows)
    (axis,) = panels(figure).values()
    by_place = {x: (marker, face) for x, _, _, marker, face in points(axis)}
    assert by_place[2][0] == "x"
    assert by_place[1][1] == by_place[3][1] == "white" != by_place[0][1]
    assert {"little support, with itself", "refused"} <= {t.get_text() for t in texts(figure)}


def test_several_models_are_lines_of_their_own_in_the_panels_that_they_share():
    models = {
        "first": curve() + curve("mi_word"),
        "second": curve(height=0.2) + curve("only_here"),
        "third": curve(taps=TAPS[:10], height=0.1) + curve("mi_word", TAPS[:10]),
    }
    figure = figures.layer_curves(models)
    found = panels(figure)
    assert list(found) == ["cca_phone", "mi_word"]
    colours = [colour for _, _, colour, _, _ in points(found["cca_phone"])]
    assert sorted(colours.count(colour) for colour in set(colours)) == [10, 17, 17]
    assert {"first", "second", "third"} <= {t.get_text() for t in texts(figure)}
    assert list(panels(figures.layer_curves(models, ["only_here"]))) == ["only_here"]


def test_models_of_different_blocks_stand_by_depth():
    other = [(f"layer{i}", None, 320) for i in range(13)]
    (axis,) = panels(figures.layer_curves({"a": curve(), "b": curve(taps=other)})).values()
    states = sorted(x for x, *_ in points(axis) if x <= 1)
    assert states == pytest.approx(sorted([i / 14 for i in range(15)] + [i / 12 for i in range(13)]), abs=1e-4)


def test_a_matrix_is_drawn_as_it_is():
    figure = figures.heat_map([*matrix(), *matrix("cca_matrix", "r2")])
    found = panels(figure)
    assert list(found) == ["cka_matrix (cka)", "cca_matrix (r2)"]
    for axis in found.values():
        (image,) = axis.images
        expected = [[1 / (1 + abs(i - j)) for j in range(17)] for i in range(17)]
        assert image.get_array().tolist() == [pytest.approx(line) for line in expected]
        assert [t.get_text() for t in axis.get_yticklabels()] == [tap for tap, _, _ in TAPS]


def test_weights_are_means_over_seeds_between_their_extremes():
    figure = figures.weights([*learned(1, 0.002), *learned(2, -0.001)])
    (axis,) = panels(figure).values()
    means = [1 / 15 + 0.0005 * (i - 7) for i in range(15)]
    assert [y for _, y, *_ in sorted(points(axis))] == pytest.approx(means, abs=1e-5)
    assert any(list(line.get_ydata()) == pytest.approx([1 / 15, 1 / 15]) for line in axis.lines)
    assert "equal weights" in {t.get_text() for t in texts(figure)}


@pytest.mark.parametrize("width", ["page", "column"])
@pytest.mark.parametrize("count", [1, 10])
def test_no_text_lies_on_another_or_outside(width, count):
    warned = {"weights": "random", "corpus_kind": "generated", "corpus": "a_corpus_of_some_name"}
    models = {
        f"mr_hubert_model_{m}": [
            r for name in MEASURES[: 3 if count > 1 else 4] for r in curve(name, height=0.1 * m, **warned)
        ]
        for m in range(count)
    }
    for figure in (figures.layer_curves(models, width=width), figures.heat_map(matrix(), "a_model", width=width)):
        figure.canvas.draw()
        boxes = [(t.get_text(), t.get_window_extent()) for t in texts(figure)]
        for (one, a), (other, b) in itertools.combinations(boxes, 2):
            shared_x = min(a.x1, b.x1) - max(a.x0, b.x0)
            shared_y = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert min(shared_x, shared_y) < 1, f"{one!r} lies on {other!r}"
        for text, box in boxes:
            assert box.x0 > -1, text
            assert box.x1 < figure.bbox.x1 + 1, text
            assert box.y1 < figure.bbox.y1 + 1, text


def test_the_picture_carries_its_warnings():
    figure = figures.layer_curves(curve(weights="random", corpus_kind="generated", corpus="generated"))
    title = figure.get_suptitle().replace("\n", " ")
    assert "random weights" in title
    assert "not a finding about speech" in title


def test_letters_are_letters_in_every_file(tmp_path):
    figure = figures.layer_curves(curve() + curve("mi_word"))
    svg = figures.save(figure, tmp_path / "deep" / "a.svg").read_text()
    for word in ("enc0.layer3", "cca_phone", "mi_word", "20 ms", "40 ms", "r2"):
        assert re.search(rf"<text[^>]*>{re.escape(word)}</text>", svg), word
    pdf = figures.save(figure, tmp_path / "a.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf or b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    again = figures.layer_curves(curve() + curve("mi_word"))
    assert figures.save(again, tmp_path / "b.svg").read_text() == svg
    assert figures.save(again, tmp_path / "b.pdf").read_bytes() == pdf


@pytest.mark.parametrize(("width", "pixels"), [("page", 2100), ("column", 1020)])
def test_a_png_is_as_wide_as_what_it_is_for(tmp_path, width, pixels):
    from matplotlib.image import imread

    figure = figures.layer_curves(curve() + curve("mi_word"), width=width)
    picture = imread(figures.save(figure, tmp_path / "a.png"))
    assert picture.shape[1] == pixels
    assert picture.std() > 0


def test_the_command_writes_all_that_there_is(tmp_path, capsys):
    results.write(tmp_path / "one", [*curve(), *learned(1)])
    results.write(tmp_path / "two", [*curve(height=0.2), *matrix()])
    words = ["report", str(tmp_path / "one"), str(tmp_path / "two"), "--figures", str(tmp_path / "f")]
    assert commands.main([*words, "--format", "svg,png", "--width", "column"]) == 0
    names = {"one-layers", "one-weights", "two-layers", "two-taps", "all-layers"}
    assert {p.name for p in (tmp_path / "f").iterdir()} == {f"{n}.{kind}" for n in names for kind in ("svg", "png")}
    assert str(tmp_path / "f" / "all-layers.svg") in capsys.readouterr().out
    assert commands.main([*words, "--format", "jpg"]) == 2
    assert "figures as 'jpg'" in capsys.readouterr().err


def test_a_folder_of_several_models_gives_each_a_name(tmp_path):
    folders = [tmp_path / "a" / "run", tmp_path / "b" / "run"]
    runs = [(folders[0], [*curve(), *curve(upstream="v")]), (folders[1], curve(upstream="w"))]
    found = figures.named(runs)
    assert {name: rows[0].upstream for name, rows in found.items()} == {"run": "u", "run-2": "v", "run-3": "w"}


def test_nothing_to_draw_is_said(tmp_path):
    refused = [row("enc0.pre", None, refused="too few rows")]
    for draw in (figures.layer_curves, figures.heat_map, figures.weights):
        for rows in (refused, []):
            with pytest.raises(UserError, match=r"no (layer-wise number|matrix|weights)"):
                draw(rows)
    with pytest.raises(UserError, match="no layer-wise number"):
        list(figures.write({"a": refused}, tmp_path))
    with pytest.raises(UserError, match="did you mean 'cca_phone'"):
        figures.layer_curves(curve(), ["cca_phon"])
    with pytest.raises(UserError, match="width 'colum' of a figure: did you mean 'column'"):
        figures.layer_curves(curve() + curve("mi_word"), width="colum")
    with pytest.raises(UserError, match="figures as 'jpg'"):
        figures.save(figures.layer_curves(curve()), tmp_path / "a.jpg")
