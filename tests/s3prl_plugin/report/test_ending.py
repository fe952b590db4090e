"""How a run ends: its own table, where the results are, and what can be done with them."""

import json
from dataclasses import replace

import page_rows

from s3prl_plugin import results
from s3prl_plugin.report import ending


def test_a_run_ends_with_its_own_table_and_what_to_do_next(tmp_path):
    results.write(tmp_path, page_rows.layers("hubert", "mi_word") + page_rows.layers("hubert", "cca_phone"))
    said = ending.of_analysis(tmp_path, "cca")
    assert "cca_phone" in said
    assert "mi_word" not in said
    assert f"results: {tmp_path / results.FILE_NAME}" in said.splitlines()
    assert any(line.startswith(f"next: s3prl-plugin report {tmp_path} -o ") for line in said.splitlines())
    assert f"next: s3prl-plugin select {tmp_path} --task PR" in said


def test_what_decides_no_task_is_not_offered_to_select(tmp_path):
    results.write(tmp_path, [replace(row, measure="rank", downstream="rank") for row in page_rows.layers("hubert")])
    assert "select" not in ending.of_analysis(tmp_path, "rank")
    refused = page_rows.refused(page_rows.layers("hubert"))
    (tmp_path / results.FILE_NAME).unlink()
    results.write(tmp_path, refused)
    assert "select" not in ending.of_analysis(tmp_path, "cca")


def test_weak_evidence_is_offered_to_select_where_there_is_no_other(tmp_path):
    results.write(tmp_path, page_rows.layers("hubert", "cca_mel"))
    assert f"select {tmp_path} --task SE" in ending.of_analysis(tmp_path, "cca")
    results.write(tmp_path, page_rows.layers("hubert", "cca_mel") + page_rows.layers("hubert", "cca_phone"))
    assert f"select {tmp_path} --task PR" in ending.of_analysis(tmp_path, "cca")


def test_a_part_of_a_corpus_has_no_table_yet(tmp_path):
    assert ending.of_analysis(tmp_path, "cca") == ""
    results.write(tmp_path, page_rows.layers("hubert"))
    assert ending.of_analysis(tmp_path, "mi") == ""


def test_json_is_every_row(tmp_path):
    rows = page_rows.layers("hubert")
    results.write(tmp_path, rows)
    assert [json.loads(line)["tap"] for line in ending.as_json(tmp_path).splitlines()] == [row.tap for row in rows]
