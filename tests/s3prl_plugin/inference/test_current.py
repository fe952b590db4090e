"""The rows of a folder that count: those of the newest run of every measure."""

import json
from dataclasses import replace

import page_rows
import pytest
import tap_rows

import s3prl_plugin
from s3prl_plugin import commands, results
from s3prl_plugin.inference import current, differences, state_taps
from s3prl_plugin.questions import asking
from s3prl_plugin.report import page
from s3prl_plugin.report.page import models
from s3prl_plugin.report.page.layers import summary
from s3prl_plugin.report.page.panels import panels
from s3prl_plugin.select.choice import choose


def run(folder, options="a", taps=5, **changes):
    """One run of a measure, and its rows."""
    rows = page_rows.layers("u", count=taps, options_id=options, **changes)
    results.write(folder, rows)
    return rows


def test_one_run_is_all_of_a_folder_and_nothing_is_said(tmp_path):
    rows = run(tmp_path)
    found = current.read(tmp_path)
    assert found.rows == tuple(rows)
    assert found.notes == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"options": "b"},
        {"weights_id": "w", "checkpoint_sha256": None},
        {"upstream": "u[pool_to=mean:40]"},
        {"corpus": "another"},
        {"upstream_config": "c"},
    ],
)
def test_what_a_newer_run_left_out_is_kept_counted_and_said(tmp_path, changes):
    run(tmp_path)
    changes = {"options": "a", **changes}
    upstream = changes.pop("upstream", "u")
    newer = [
        row
        for row in page_rows.layers(upstream, count=5, options_id=changes.pop("options"), **changes)
        if row.tap_index < 2
    ]
    results.write(tmp_path, newer)
    kept = 5 if "options" not in changes and (changes or upstream != "u") else 3
    found = current.read(tmp_path)
    assert found.rows == tuple(newer)
    assert len(results.read(tmp_path)) == 2 + kept
    (note,) = found.notes
    assert note.startswith(f"{tmp_path / results.FILE_NAME}: {kept} rows are of earlier runs")
    assert "cca_phone" in note


def test_a_narrower_rerun_with_the_same_options_hides_nothing(tmp_path):
    rows = run(tmp_path)
    results.write(tmp_path, rows[2:3])
    found = current.read(tmp_path)
    assert sorted(row.tap_index for row in found.rows) == [0, 1, 2, 3, 4]
    assert found.notes == ()


def test_measures_that_were_run_apart_do_not_hide_one_another(tmp_path):
    for day, measure in enumerate(("cca_phone", "mi_phone", "cka_phone")):
        run(tmp_path, options=f"of day {day}", measure=measure)
    found = current.read(tmp_path)
    assert {row.measure for row in found.rows} == {"cca_phone", "mi_phone", "cka_phone"}
    assert found.notes == ()


def test_the_seeds_of_a_task_belong_together(tmp_path):
    for seed in (1, 2, 3):
        results.write(tmp_path, page_rows.task("u", seed=seed, options_id="t"))
    found = current.read(tmp_path)
    assert [row.seed for row in found.rows if row.headline] == [1, 2, 3]
    assert found.notes == ()


def test_the_last_of_rows_with_one_identity_counts(tmp_path):
    """As after two files were put together by hand."""
    (row,) = page_rows.layers("u", count=5)[:1]
    lines = [{**json.loads(results.line(row)), "value": value} for value in (0.1, 0.2)]
    (tmp_path / results.FILE_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [row.value for row in current.read(tmp_path).rows] == [0.2]


def test_fields_of_a_newer_version_are_said(tmp_path):
    path = results.write(tmp_path, page_rows.layers("u", count=5)[:1])
    line = json.loads(path.read_text())
    path.write_text(json.dumps({**line, "schema": results.SCHEMA + 1, "invented_later": 1}) + "\n")
    (note,) = current.read(tmp_path).notes
    assert f"schema {results.SCHEMA + 1}" in note
    assert "invented_later" in note


KEPT = (2, 3)  # taps


@pytest.fixture
def folders(tmp_path):
    """A folder that three runs filled, and one with the last run alone; each beside a run of another model."""
    rows = {}
    for seed, (options, upstream) in enumerate((("60", "u"), ("200", "u"), ("200", "u[pool_to=mean:40]"))):
        rows = page_rows.layers(upstream, count=5, best=3, seed=seed, options_id=options, weights_id="w")
        rows = [row for row in rows if upstream == "u" or row.tap_index in KEPT]
        results.write(tmp_path / "filled" / "run", rows)
    results.write(tmp_path / "clean" / "run", rows)
    for name in ("filled", "clean"):
        results.write(tmp_path / name / "other", [replace(row, upstream="v", weights_id="x") for row in rows])
    return tmp_path / "filled", tmp_path / "clean"


COMMANDS = [
    ["report", "FOLDER/run"],
    ["report", "FOLDER/run", "--json"],
    ["report", "FOLDER/run", "--differences"],
    ["report", "FOLDER/run", "--differences", "--json"],
    ["report", "FOLDER/run", "FOLDER/other", "--differences"],
    ["report", "FOLDER/run", "FOLDER/other", "--compare"],
    ["report", "FOLDER/run", "FOLDER/other", "--compare", "--json"],
    ["select", "FOLDER/run", "--task", "PR"],
    ["select", "FOLDER/run", "--task", "PR", "--json"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_says_of_a_folder_that_runs_filled_what_it_says_of_a_clean_one(folders, capsys, words):
    said = []
    for folder in folders:
        assert commands.main([word.replace("FOLDER", str(folder)) for word in words]) == 0
        captured = capsys.readouterr()
        notes = current.notes([folder / "run"])
        assert all(" ".join(note.split()) in " ".join((captured.out + captured.err).split()) for note in notes)
        said.append(without(notes, captured.out).replace(str(folder), ""))
    assert "5 rows are of earlier runs" in current.notes([folders[0] / "run"])[0]
    assert said[0] == said[1]


def without(notes, text):
    """What is printed, on one line, without the notes."""
    text = " ".join(text.split())
    for note in notes:
        for shown in (json.dumps(note), f"! {note}", f"note: {note}"):
            for written in (f"{shown}, ", f", {shown}", f"{shown} ", shown):
                text = text.replace(written, "")
    return text


def test_the_page_shows_what_it_shows_of_a_clean_folder(folders):
    pytest.importorskip("altair")
    pages = []
    for folder in folders:
        notes = current.notes([folder / "run"])
        html = page.html([folder / "run"], asking.sections)
        for note in notes:
            assert note in html
            html = html.replace(f'<p class="note">{note}</p>', "")
        pages.append("".join(html.replace(str(folder), "").split()))
    assert pages[0] == pages[1]


def test_what_is_loaded_is_what_a_clean_folder_holds(folders):
    with pytest.warns(UserWarning, match="rows are of earlier runs"):
        filled = s3prl_plugin.load_results(folders[0] / "run", pandas=False)
    clean = s3prl_plugin.load_results(folders[1] / "run", pandas=False)
    assert [{**record, "folder": ""} for record in filled] == [{**record, "folder": ""} for record in clean]
    assert [record["tap_index"] for record in filled] == list(KEPT)


def test_a_state_is_compared_with_states_wherever_it_is(tmp_path, capsys):
    """The output scores highest, and no command takes it for the best tap or adjusts for it."""
    rows = tap_rows.layers([0.2, 0.3, 0.4, 0.5], taps=["mid.pre", "mid.layer0", "mid.layer1", "res_out0"])
    rows = [replace(row, block=None) if row.tap == "res_out0" else row for row in rows]
    results.write(tmp_path, rows)
    (table,) = differences.within(current.read(tmp_path).rows)
    assert table.comparisons == 3
    assert {each.b.tap for each in table.differences} == {"mid.layer1"}
    assert dict(table.not_compared) == {"res_out0": state_taps.OUTPUT}
    chosen = choose(rows, "cca_phone")
    assert {tap: each.p_holm for tap, each in chosen.against_best.items()} == {
        each.a.tap: each.p_holm for each in table.differences
    }
    (shown,) = summary(panels(models.read([tmp_path])))
    assert shown.row.tap == chosen.best.tap == "mid.layer1"
    assert commands.main(["report", str(tmp_path)]) == 0
    marked = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.rstrip().endswith("*")]
    assert marked == ["mid.layer1"]


def test_rows_of_an_older_score_are_left_out_and_it_says_what_to_do(tmp_path):
    """A folder of before: `corrected` was the headline. After a rerun there is `r2`, and nothing is said any more."""
    old = page_rows.layers("u", count=3, score="corrected", options_id=None)
    beside = page_rows.layers("u", count=3, score="r", headline=False, options_id=None)
    results.write(tmp_path, [*old, *beside])
    found = current.read(tmp_path)
    assert {row.score for row in found.rows} == {"r"}
    (note,) = found.notes
    assert "3 rows are of an older score, corrected (cca_phone)" in note
    assert "run the analysis again" in note
    rerun = run(tmp_path, taps=3)
    found = current.read(tmp_path)
    assert found.rows == tuple(rerun)
    assert "older score" not in " ".join(found.notes)
