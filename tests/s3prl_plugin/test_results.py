"""The results file: identity, replacement, and what is refused."""

import json
import math
import os
from dataclasses import asdict

import pytest

from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import Row


def row(**changes):
    fields = {"upstream": "u", "measure": "cca_mel", "score": "corrected", "tap": "mid.pre", "value": 0.5}
    return Row(**{**fields, **changes})


def test_a_row_survives_the_file(tmp_path):
    written = [
        row(versions={"torch": "2.13"}, ci_low=0.4, ci_high=0.6),
        row(tap="mid.layer0", value=None, refused="too few rows"),
    ]
    results.write(tmp_path, written)
    assert results.read(tmp_path) == written


def test_a_rerun_replaces_its_row_and_keeps_the_others(tmp_path):
    results.write(tmp_path, [row(value=0.1), row(tap="mid.layer0", value=0.2)])
    results.write(tmp_path, [row(value=0.9)])
    assert {r.tap: r.value for r in results.read(tmp_path)} == {"mid.pre": 0.9, "mid.layer0": 0.2}


@pytest.mark.parametrize(
    "field", ["upstream", "measure", "score", "seed", "folds", "tap", "checkpoint_sha256", "corpus"]
)
def test_what_a_number_is_decides_its_identity(field):
    other = row(**{field: 7 if field in ("seed", "folds") else "other"})
    assert other.identity != row().identity


@pytest.mark.parametrize("field", ["ci_low", "chance", "params"])
def test_what_a_number_says_does_not(field):
    assert row(**{field: 1}).identity == row().identity


@pytest.mark.parametrize("changes", [{"value": math.nan}, {"value": math.inf}, {"value": None}, {"refused": "why"}])
def test_a_row_has_a_finite_value_or_a_refusal(changes):
    with pytest.raises(ValueError, match="cca_mel"):
        row(**changes)


def test_a_broken_line_is_named(tmp_path):
    path = results.write(tmp_path, [row()])
    path.write_text(path.read_text() + "{not json\n")
    with pytest.raises(UserError, match=r"results\.jsonl, line 2"):
        results.read(tmp_path)


def test_no_results_says_where_it_looked(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        results.read(tmp_path)


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = results.write(tmp_path, [row()])
    before = path.read_bytes()
    monkeypatch.setattr(results.os, "replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        results.write(tmp_path, [row(value=0.9)])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_file_is_one_json_object_a_line(tmp_path):
    path = results.write(tmp_path, [row(), row(tap="b")])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [asdict(row()), asdict(row(tap="b"))]


def test_files_can_be_read_by_whom_the_umask_lets(tmp_path):
    before = os.umask(0o022)
    try:
        path = results.write(tmp_path, [row()])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
