"""The page's content, without a browser: what it says, that nothing is fetched, and that names cannot break it."""

import importlib.util
import json
import re
from html.parser import HTMLParser

import page_rows
import pytest

from s3prl_plugin import commands
from s3prl_plugin.errors import UserError
from s3prl_plugin.questions import asking
from s3prl_plugin.report import page, tables
from s3prl_plugin.report.page import document
from s3prl_plugin.report.sections import Cell, Column, Contrast, Section, Table, contrast_table

pytest.importorskip("altair", reason="the report page needs altair")
pytest.importorskip("vl_convert", reason="the report page needs vl_convert")
LIMIT = 5_000_000  # bytes
EVIL = "<script>alert('ü\"&')</script>"


class Parsed(HTMLParser):
    """Every element with its attributes, the text outside scripts, and the text of scripts by their type."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.scripts, self.inside = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = (tag, dict(attrs).get("type")) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside is None:
            self.words.append(data)
        else:
            self.scripts.append((*self.inside, data))

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    @property
    def specs(self):
        return [json.loads(data) for tag, kind, data in self.scripts if kind == "application/json"]


def made(tmp_path, *models, **kwargs):
    """The page of some models' rows, parsed."""
    folders = [page_rows.write(tmp_path / f"run{i}", rows, **kwargs) for i, rows in enumerate(models)]
    return Parsed(page.html(folders, asking.sections))


def assert_nothing_is_fetched(parsed):
    for tag, attributes in parsed.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed") or attributes.get("href", "data:") == "data:,"
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
        assert "url(" not in (attributes.get("style") or "")
    styles = [data for tag, _, data in parsed.scripts if tag == "style"]
    assert styles
    assert not any("url(" in each or "@import" in each for each in styles)
    policy = next(a["content"] for tag, a in parsed.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert not any("url" in json.dumps(spec.get("data", {})) for spec in parsed.specs)


def test_ten_models_of_fifteen_taps_and_ten_measures_stay_below_the_limit(tmp_path):
    models = [page_rows.everything(f"model_{i}", seed=100 * i) for i in range(10)]
    folders = [page_rows.write(tmp_path / f"run{i}", rows) for i, rows in enumerate(models)]
    path = page.write(folders, tmp_path / "report.html", asking.sections)
    assert path.stat().st_size < LIMIT
    parsed = Parsed(path.read_text(encoding="utf-8"))
    assert_nothing_is_fetched(parsed)
    boxes = [a for tag, a in parsed.elements if tag == "input" and a.get("type") == "checkbox"]
    assert [box["value"] for box in boxes] == [f"model_{i}" for i in range(10)]
    curves = [spec for spec in parsed.specs if any(p.get("name") == "models" for p in spec.get("params", []))]
    assert len(curves) == 10 + 1  # the weights of the task, too
    assert all(len(spec["datasets"]["points"]) == 150 for spec in curves)


def test_the_best_layer_for_phones_is_read_from_the_first_table(tmp_path):
    rows = page_rows.layers("hubert", best=7) + page_rows.layers("hubert", "cca_word", best=3, seed=1)
    parsed = made(tmp_path, rows)
    names = [tap for tap, _, _ in page_rows.taps()]
    line = re.search(r"phones cca_phone, r2 (\S+) (\S+) (\S+) .*? to (\S+) (\S+) (\d of \d)", parsed.text)
    assert line is not None
    assert line.groups()[:2] == (names[7], "40")
    assert line.groups()[4:] == ("none", "8 of 8")
    assert parsed.text.index("phone recognition (PR)") < parsed.text.index("Bars: 95 %")


def test_taps_that_are_as_good_are_named(tmp_path):
    flat = page_rows.layers("hubert", best=None)
    assert "all 14 others" in made(tmp_path, flat).text


@pytest.mark.parametrize(
    ("changes", "speakers", "told"),
    [
        ({}, 60, None),
        ({"corpus_kind": "generated", "corpus": "generated"}, 60, "speech is generated"),
        ({"weights": "random"}, 60, "weights are random"),
    ],
)
def test_what_is_no_finding_says_so(tmp_path, changes, speakers, told):
    text = made(tmp_path, page_rows.layers("hubert", **changes), speakers=speakers).text
    assert ("A check of the software, not a finding" in text) == (told is not None)
    assert told is None or told in text


def test_few_speakers_are_told_more_mildly(tmp_path):
    text = made(tmp_path, page_rows.layers("hubert"), speakers=12).text
    assert "A check of the software" not in text
    assert "Few speakers: 12, and 40 or more are wanted" in text


def test_random_controls_beside_trained_models_take_nothing_from_them(tmp_path):
    trained, control = page_rows.layers("hubert"), page_rows.layers("hubert[random_weights=True]", weights="random")
    text = made(tmp_path, trained, control, speakers=60).text
    assert "A check of the software" not in text
    assert "The weights of 1 of 2 models (hubert[random_weights=True]) are random" in text


def test_names_cannot_break_the_page(tmp_path):
    rows = page_rows.layers(EVIL, corpus=EVIL)
    rows += page_rows.refused(page_rows.layers(EVIL, "cca_word", corpus=EVIL), reason=f"no {EVIL}")
    parsed = made(tmp_path, rows, page_rows.layers("Модель-ü"))
    assert EVIL in parsed.text
    assert "Модель-ü" in parsed.text
    assert sum(tag == "script" for tag, _ in parsed.elements) == len(parsed.specs) + 2
    assert any(record["model"] == EVIL for spec in parsed.specs for record in spec["datasets"]["points"])
    assert_nothing_is_fetched(parsed)


def test_everything_refused_is_a_page_with_the_reasons(tmp_path):
    text = made(tmp_path, page_rows.refused(page_rows.layers("hubert"))).text
    assert "refused: too few segments" in text
    assert "no number" in text


def test_what_would_help_a_refused_number_is_told_when_it_is_pointed_at():
    for reason, short, hint in (
        (
            "3 rows, 5 wanted; more speech would help",
            "3 rows, 5 wanted",
            "3 rows, 5 wanted; more speech would help; n 3",
        ),
        ("no words", "no words", "n 3"),
    ):
        shown = document._shown(Cell(refused=reason, hint="n 3"), Column("r2"))
        assert (shown.text, shown.small, shown.hint) == ("refused", short, hint)


def test_a_refused_and_a_grey_tap_show_in_curve_and_remarks(tmp_path):
    rows = page_rows.layers("hubert")
    (lost,) = page_rows.refused(rows[2:3], "nothing there")
    grey = page_rows.layers("hubert", grey="limited by data")[4]
    parsed = made(tmp_path, [*rows[:2], lost, rows[3], grey, *rows[5:]])
    (points,) = [spec["datasets"]["points"] for spec in parsed.specs]
    kinds = [record["kind"] for record in points]
    assert [kinds[2], kinds[4]] == ["refused", "unsure"]
    assert kinds.count("number") == len(rows) - 2
    assert f"refused: nothing there: {rows[2].tap}" in parsed.text
    assert f"barely supported: limited by data: {rows[4].tap}" in parsed.text


def test_scores_of_tasks_alone_are_a_page(tmp_path):
    parsed = made(tmp_path, page_rows.task("hubert", weights=False, published_corpus=True))
    assert "No layer-wise measure was run here" in parsed.text
    assert "10.00" in parsed.text  # a phone error rate of .1 in SUPERB's per cent
    assert parsed.specs == []


def test_one_tap_is_a_page(tmp_path):
    parsed = made(tmp_path, page_rows.layers("hubert", count=15)[:1])
    assert "the only state tap" in parsed.text
    assert len(parsed.specs) == 1


def test_models_of_a_study_have_its_names(tmp_path):
    for name in ("one", "two"):
        page_rows.write(tmp_path / "study" / name, page_rows.layers("mr_hubert_local", checkpoint_sha256=name * 20))
    (tmp_path / "study" / "study.json").write_text('{"upstreams": ["two", "one"]}')
    parsed = Parsed(page.html([tmp_path / "study"], asking.sections))
    boxes = [a["value"] for tag, a in parsed.elements if tag == "input" and a.get("type") == "checkbox"]
    assert boxes == ["two", "one"]


def test_folders_of_one_model_are_one_model(tmp_path):
    parsed = made(tmp_path, page_rows.layers("hubert"), page_rows.layers("hubert", "mi_phone"))
    assert not any(tag == "input" for tag, _ in parsed.elements)
    assert len(parsed.specs) == 2


def test_every_part_is_in_the_table_of_contents(tmp_path):
    parsed = made(tmp_path, page_rows.everything("a", count=6), page_rows.everything("b", count=9, seed=9))
    parts = [a["id"] for tag, a in parsed.elements if tag == "section"]
    links = [a["href"] for tag, a in parsed.elements if tag == "a" and a.get("href", "").startswith("#")]
    assert parts[:6] == ["layers", "curves", "superb", "weights", "matrices", "grid"]
    assert parts[-1] == "provenance"
    assert [f"#{part}" for part in parts] == links[: len(parts)]
    assert "ab" * 6 in parsed.text  # the checkpoint
    assert len(set(parts)) == len(parts)


def test_the_answers_come_from_the_general_to_the_single_pair(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    assert {needed for _, needed in asking.QUESTIONS.values()} == {1, 2}
    questions = {
        name: (lambda folders, name=name: (Section(name=name, title=name),), needed)
        for name, (_, needed) in asking.QUESTIONS.items()
    }
    found, silent = asking.sections([tmp_path / "first", tmp_path / "second"], questions)
    alone, _ = asking.sections([tmp_path / "first"], questions)
    # what seeds and checkpoints answer together is not asked again of single pairs; costs in bits stand last
    assert [section.name for section in found] == ["factorial", "trajectories", "comparison", "rates"]
    assert [section.name for section in alone] == ["rates"]
    assert silent == []


def test_sections_of_others_are_shown_whatever_they_hold(tmp_path):
    about = {"measure": "cca_word", "score": "r"}
    contrasts = (
        Contrast(label="a - b", value=0.125, ci_low=0.1, ci_high=0.15, p=0.0001, p_holm=0.002, family="f", **about),
        Contrast(label="a - c", value=-0.25, grey="other units", **about),
        Contrast(label="a - d", refused=f"no folds {EVIL}", **about),
    )
    table = Table(title="costs", columns=("what", "p"), rows=(("x", 0.0000001), ("y", None)), note="a note")
    section = Section(name="layers", title="Why?", verdict="Because.", contrasts=contrasts, tables=(table,))
    folder = page_rows.write(tmp_path / "r0", page_rows.layers("hubert"))
    parsed = Parsed(page.html([folder], lambda folders: ([section], ["rates: nothing to say"])))
    for word in ("Why?", "Because.", "+0.125", "+0.100 to +0.150", "<.001", "0.002", "-0.250", "other units",
                 "exploratory", f"no folds {EVIL}", "a note", "not shown: rates: nothing to say"):  # fmt: skip
        assert word in parsed.text
    assert parsed.text.index("Because.") < parsed.text.index("cca_phone")  # the answer stands at the top, too
    drawn = [line[3].bar for line in document.lines(contrast_table(contrasts))]
    assert drawn[2] is None
    assert [each["differs"] for each in drawn[:2]] == [True, False]
    zero = document.BAR / 2
    assert zero < drawn[0]["low"] < drawn[0]["value"] < drawn[0]["high"]
    assert zero - drawn[1]["value"] == pytest.approx(2 * (drawn[0]["value"] - zero), abs=0.2)


def test_the_command_writes_the_page_alone(tmp_path, capsys):
    folder = page_rows.write(tmp_path / "run", page_rows.layers("hubert"))
    path = tmp_path / "new" / "report.html"
    assert commands.main(["report", str(folder), "-o", str(path)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"page: {path}")
    assert len(shown.splitlines()) == 1
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("absent", ["altair", "vl_convert", "jinja2"])
def test_what_is_not_installed_is_told_in_one_line(tmp_path, capsys, monkeypatch, absent):
    folder = page_rows.write(tmp_path / "run", page_rows.layers("hubert"))
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == absent else find(name, *a))
    assert commands.main(["report", str(folder), "-o", str(tmp_path / "report.html")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert absent in line
    assert "pip install 's3prl_plugin[report]'" in line
    assert not (tmp_path / "report.html").exists()


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(UserError, match="no results there"):
        page.html([tmp_path], asking.sections)


def test_a_notebook_shows_a_section_as_it_is_and_nothing_runs():
    rows = page_rows.layers(EVIL, best=7)
    section = tables.of_run(rows)
    parsed = Parsed(section._repr_html_())
    assert EVIL in parsed.text
    assert not any(tag == "script" for tag, _ in parsed.elements)
    (best,) = [attributes for tag, attributes in parsed.elements if "best" in (attributes.get("class") or "").split()]
    assert float(best["data-sort"]) == max(row.value for row in rows)
    assert all(row.tap in section.tables[0]._repr_html_() for row in rows)
