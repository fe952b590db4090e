"""Damaged results: whatever stands in a results.jsonl, every command ends with a number or with one line."""

import json
import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import page_rows
import pytest

import s3prl_plugin
from s3prl_plugin import commands, results
from s3prl_plugin.errors import UserError
from s3prl_plugin.questions import asking
from s3prl_plugin.report import page

MUTANTS = 100
VALUES = (None, True, False, 0, 1, -1, 7, 2**40, -(2**40), 10**30, 0.5, -3.7, 1e18, -1e18, 1e-300, math.nan, math.inf,
          "", " ", "x", "0.5", "a\u2028b", "\x85", "\ud800", "<b>", "res_out0", "mid.layer0", "cca_phone", "cca_matrix",
          "rate_phone", "rate_bits", "grid_phone", "weight", "corrected", "r", "default", "published", "generated", "[",
          "u[pool_to=mean:40]", "u[a=b,c]", "u[a={]", "%s", "{0}", [], [1.0], [0.1, 0.2], [0.5] * 8, [1e18, -1e18, 0],
          [None], ["x"], {}, {"a": "b"}, [[]])  # fmt: skip


def rows():
    """Of every kind: layers, matrices, grids, rates, tasks and their weights, refusals."""
    made = page_rows.everything("u", measures=("cca_phone", "mi_phone", "cka_mel", "cca_word"), count=5)
    made += page_rows.refused(page_rows.layers("u", "mi_word", count=5))
    units = {"measure": "rate_phone", "units": "codes", "details": {"bits_per_s": 50.0}}
    return made + [replace(row, **units) for row in page_rows.layers("u", "mi_phone", count=5)]


def any_line(rng, lines):
    return int(rng.integers(len(lines)))


def a_field_changes(rng, lines):
    i = any_line(rng, lines)
    content = json.loads(lines[i])
    content[str(rng.choice(list(content)))] = VALUES[rng.integers(len(VALUES))]
    lines[i] = json.dumps(content)


def a_field_changes_in_many_lines(rng, lines):
    name = str(rng.choice(list(json.loads(lines[0]))))
    value = VALUES[rng.integers(len(VALUES))]
    for i in rng.permutation(len(lines))[: rng.integers(2, len(lines))]:
        lines[i] = json.dumps({**json.loads(lines[i]), name: value})


def a_field_is_lost(rng, lines):
    i = any_line(rng, lines)
    content = json.loads(lines[i])
    del content[str(rng.choice(list(content)))]
    lines[i] = json.dumps(content)


def a_field_is_added(rng, lines):
    i = any_line(rng, lines)
    schema = results.SCHEMA + int(rng.integers(2))
    lines[i] = json.dumps({**json.loads(lines[i]), "schema": schema, "later": VALUES[rng.integers(len(VALUES))]})


def fields_change_places(rng, lines):
    i = any_line(rng, lines)
    content = json.loads(lines[i])
    a, b = rng.choice(list(content), 2)
    content[str(a)], content[str(b)] = content[str(b)], content[str(a)]
    lines[i] = json.dumps(content)


def lines_change_places(rng, lines):
    rng.shuffle(lines)


def lines_are_lost(rng, lines):
    del lines[any_line(rng, lines) :]
    lines.append("") if not lines else None


def a_line_comes_twice(rng, lines):
    lines.append(lines[any_line(rng, lines)])


def a_line_is_cut(rng, lines):
    i = any_line(rng, lines)
    lines[i] = lines[i][: rng.integers(len(lines[i]) + 1)]


MUTATIONS = (a_field_changes, a_field_changes, a_field_changes_in_many_lines, a_field_changes_in_many_lines,
             a_field_is_lost, a_field_is_added, fields_change_places, lines_change_places, lines_are_lost,
             a_line_comes_twice, a_line_is_cut)  # fmt: skip


def mutant(seed, lines):
    """The bytes of a damaged file: one to three things are changed as no run would; of every tenth, bytes, too."""
    rng, lines = np.random.default_rng(seed), list(lines)
    for _ in range(rng.integers(1, 4)):
        try:
            MUTATIONS[rng.integers(len(MUTATIONS))](rng, lines)
        except ValueError:  # a line that is cut already cannot be changed field by field
            continue
    content = bytearray("\n".join(lines).encode("utf-8", "surrogatepass"))
    for place in rng.integers(len(content) + 1, size=3 if rng.random() < 0.1 else 0):
        content[place : place + int(rng.integers(3))] = rng.bytes(int(rng.integers(3)))
    return bytes(content)


def words(folder, other):
    """The command lines that read results."""
    return [
        ["report", folder],
        ["report", folder, "--json"],
        ["report", folder, "--differences"],
        ["report", folder, "--differences", "--json"],
        ["report", folder, other, "--differences"],
        ["report", folder, other, "--compare"],
        ["report", folder, other, "--compare", "--json"],
        ["report", "--table", folder, other],
        ["report", "--table", "--json", folder, other],
        ["select", folder, "--task", "PR"],
        ["select", folder, "--task", "ASR", "--json"],
    ]


def check(seed, lines, root, capsys, with_page, part=1):
    """Give a mutant to every command, or to one of so many parts of them.

    Raises:
        AssertionError: one ended otherwise than with an output, or with a line.
    """
    folder, other = root / "mutant", root / "other"
    folder.mkdir(exist_ok=True)
    (folder / results.FILE_NAME).write_bytes(mutant(seed, lines))
    for command in words(str(folder), str(other))[seed % part :: part]:
        status = commands.main(command)
        captured = capsys.readouterr()
        said = [line for line in captured.err.splitlines() if not line.startswith("[results]")]
        assert (status, len(said)) in ((0, 0), (1, 0), (2, 1)), (seed, command, status, captured.err)
        assert "NaN" not in captured.out, (seed, command)
    readers = [
        lambda: s3prl_plugin.load_results(folder),
        *([lambda: page.html([folder, other], asking.sections)] if with_page else []),
    ]
    for read in readers:
        with suppress(UserError):
            read()


@pytest.mark.filterwarnings("ignore:.*rows are of:UserWarning")
def test_no_command_ends_in_a_traceback(tmp_path, capsys):
    pytest.importorskip("altair")
    lines = [results.line(row) for row in rows()]
    results.write(tmp_path / "other", [replace(row, upstream="v", checkpoint_sha256="cd" * 32) for row in rows()])
    for seed in range(MUTANTS):
        check(seed, lines, tmp_path, capsys, with_page=seed % 25 == 0, part=3)
