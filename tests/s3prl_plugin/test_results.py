"""The results file: identity, replacement, and what is refused."""

import json
import math
import os
import subprocess
import sys
from dataclasses import asdict
from fractions import Fraction

import pytest

from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import Row


def row(**changes):
    fields = {"upstream": "u", "measure": "cca_mel", "score": "r2", "tap": "mid.pre", "value": 0.5}
    return Row(**{**fields, **changes})


def test_a_row_survives_the_file(tmp_path):
    written = [
        row(versions={"torch": "2.13"}, ci_low=0.4, ci_high=0.6),
        row(tap="mid.layer0", value=None, refused="too few rows"),
        row(tap="layer0", stride=Fraction(640, 3), frame_stride=640),
    ]
    results.write(tmp_path, written)
    assert results.read(tmp_path) == written


def test_a_rerun_replaces_its_row_and_keeps_the_others(tmp_path):
    results.write(tmp_path, [row(value=0.1), row(tap="mid.layer0", value=0.2)])
    results.write(tmp_path, [row(value=0.9)])
    assert {r.tap: r.value for r in results.read(tmp_path)} == {"mid.pre": 0.9, "mid.layer0": 0.2}


@pytest.mark.parametrize(
    "field",
    [
        *("upstream", "upstream_config", "weights_id", "checkpoint_sha256", "corpus", "split", "downstream", "measure"),
        *("protocol", "score", "tap", "tap2", "upstream2", "subset", "control", "segments", "units", "features"),
        *("stride", "frame_stride", "clusters_asked", "seed"),
    ],
)
def test_what_a_number_is_decides_its_identity(field):
    number = field in ("stride", "frame_stride", "clusters_asked", "seed")
    assert row(**{field: 7 if number else "other"}).identity != row().identity


@pytest.mark.parametrize(
    "field",
    ["ci_low", "chance", "params", "n", "n_over_d", "folds", "clusters", "speakers", "task_checkpoint", "options_id"],
)
def test_what_a_number_says_and_rests_on_does_not(field):
    changed = "other" if field in ("task_checkpoint", "options_id") else 1
    assert row(**{field: changed}).identity == row().identity


def test_details_are_numbers_by_name_and_those_of_the_second_schema_are_found(tmp_path):
    details = {"bits_per_s": 50.0, "seeds": 2}
    path = results.write(tmp_path, [row(details=details | {"kind": "x"})])
    (again,) = results.read(path)
    assert (again.details, again.number("seeds")) == (details | {"kind": "x"}, 2)
    assert again.number("kind") is again.number("seed_sd") is None
    older = {**json.loads(path.read_text()), "schema": 2, **details, "directions": None}
    del older["details"]
    path.write_text(json.dumps(older) + "\n")
    assert [each.details for each in results.read(path)] == [details]


def test_weights_are_known_by_their_digest_whatever_file_they_came_from():
    copied = row(weights_id="w", checkpoint_sha256="another file of the same weights")
    assert copied.identity == row(weights_id="w", checkpoint_sha256="a file").identity
    assert copied.model == row(weights_id="w").model


def test_a_refusal_replaces_a_number_and_a_number_a_refusal(tmp_path):
    refused = row(value=None, refused="too few rows")
    for written in (row(), refused, row(value=0.7)):
        results.write(tmp_path, [written])
        assert results.read(tmp_path) == [written]


def test_the_rows_of_the_newest_run_stand_last(tmp_path):
    results.write(tmp_path, [row(), row(tap="b"), row(tap="c")])
    results.write(tmp_path, [row(value=0.9)])
    assert [r.tap for r in results.read(tmp_path)] == ["b", "c", "mid.pre"]


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
    assert sorted(p.name for p in tmp_path.iterdir()) == [results.LOCK, path.name]


def test_the_file_is_one_json_object_a_line(tmp_path):
    path = results.write(tmp_path, [row(), row(tap="b")])
    expected = [{"schema": results.SCHEMA, **asdict(each)} for each in (row(), row(tap="b"))]
    assert [{**json.loads(line), "newer": {}} for line in path.read_text().splitlines()] == expected


@pytest.mark.parametrize("letter", ["\u2028", "\x85", "\x0b", "\x1c", "\r", "é"])
def test_names_with_letters_that_end_a_line_elsewhere_are_read_back(tmp_path, letter):
    written = [row(corpus=f"a{letter}b"), row(tap=f"{letter}c")]
    results.write(tmp_path, written)
    assert results.read(tmp_path) == written


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ci_low": math.nan}, "ci_low is nan, and must be a finite number"),
        ({"chance": math.inf}, "chance is inf"),
        ({"value": "0.5"}, "value is '0.5', and must be a finite number"),
        ({"value": True}, "value is True"),
        ({"value": 10**400}, "value is beyond 64 bits"),
        ({"replicates": [0.1, None]}, r"replicates is \[0.1, None\], and must be a list of"),
        ({"tap_index": 1.5}, "tap_index is 1.5, and must be a whole number"),
        ({"tap": 3}, "tap is 3, and must be text"),
        ({"tap": "\ud800"}, "tap is '.ud800', and must be text"),
        ({"headline": 1}, "headline is 1, and must be true or false"),
        ({"versions": {"torch": 2}}, "versions is .*, and must be a dict of text"),
        ({"measure": None}, "measure is None, and must be text"),
        ({"stride": 0}, "stride is 0"),
        ({"valeu": 1}, "there is no field 'valeu'; did you mean 'value'"),
        ({"newer": {}}, "there is no field 'newer'"),
        ({"schema": "2"}, "schema is '2'"),
    ],
)
def test_a_field_that_does_not_fit_is_named_with_file_and_line(tmp_path, changes, said):
    path = results.write(tmp_path, [row(), row(tap="b")])
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{json.dumps({**json.loads(second), **changes})}\n")
    with pytest.raises(UserError, match=rf"^{path}, line 2: .*{said}") as caught:
        results.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_field_that_a_row_needs_is_named(tmp_path):
    (tmp_path / results.FILE_NAME).write_text('{"upstream": "u", "score": "r", "value": 1}\n')
    with pytest.raises(UserError, match=r"line 1: .*measure is missing"):
        results.read(tmp_path)


@pytest.mark.parametrize("line", [b"\xff\xfe", b"[1, 2]", b"3", b"null", b"[" * 100_000])
def test_a_line_that_holds_no_row_is_named(tmp_path, line):
    (tmp_path / results.FILE_NAME).write_bytes(b"\n" + line + b"\n")
    with pytest.raises(UserError, match=r"results\.jsonl, line 2: not a results row"):
        results.read(tmp_path)


def test_what_a_newer_version_wrote_is_kept(tmp_path):
    path = results.write(tmp_path, [row()])
    line = {**json.loads(path.read_text()), "schema": results.SCHEMA + 1, "invented_later": [1, {"a": None}]}
    path.write_text(json.dumps(line) + "\n")
    assert [r.value for r in results.read(tmp_path)] == [0.5]
    results.write(tmp_path, [row(tap="b")])
    assert json.loads(path.read_text().splitlines()[0]) == line


def test_a_newer_row_that_cannot_be_read_says_that_it_is_newer(tmp_path):
    path = results.write(tmp_path, [row()])
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": results.SCHEMA + 1, "value": [1]}) + "\n")
    with pytest.raises(UserError, match=f"value is .*newer version of this package, schema {results.SCHEMA + 1}"):
        results.read(tmp_path)


def test_rows_of_before_there_was_a_schema_are_read(tmp_path):
    old = {key: value for key, value in asdict(row()).items() if key not in ("newer", "options_id")}
    (tmp_path / results.FILE_NAME).write_text(json.dumps(old) + "\n")
    assert results.read(tmp_path) == [row()]


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    program = (
        "import sys; from s3prl_plugin import results\n"
        "for i in range(15): results.write(sys.argv[1], [results.Row("
        "upstream='u', measure='m', score='r', tap=f'{sys.argv[2]}.{i}', value=0.5)])"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(n)]) for n in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert {r.tap for r in results.read(tmp_path)} == {f"{n}.{i}" for n in range(3) for i in range(15)}


def test_files_can_be_read_by_whom_the_umask_lets(tmp_path):
    before = os.umask(0o022)
    try:
        path = results.write(tmp_path, [row()])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
