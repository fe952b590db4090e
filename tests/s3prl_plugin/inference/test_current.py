"""The rows of a folder that count: those of the newest run of every measure."""

import json

import page_rows
import pytest

from s3prl_plugin import results
from s3prl_plugin.inference import current


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
