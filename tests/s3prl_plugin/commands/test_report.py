"""`report --table`: what is printed and written, and what is refused."""

import json

import board_rows
import pytest

from s3prl_plugin import commands, results


@pytest.fixture
def folders(tmp_path):
    for name, value in (("a", 0.1), ("b", 0.2)):
        results.write(tmp_path / name, board_rows.run(name, {"PR": value})[1])
    return [str(tmp_path / "a"), str(tmp_path / "b")]


@pytest.mark.parametrize(("ending", "starts"), [("md", "# SUPERB"), ("csv", "board,corpus,upstream"), ("json", "{")])
def test_the_ending_decides_the_format(folders, tmp_path, capsys, ending, starts):
    path = tmp_path / "new" / f"board.{ending}"
    assert commands.main(["report", "--table", *folders, "-o", str(path)]) == 0
    assert path.read_text(encoding="utf-8").startswith(starts)
    shown = capsys.readouterr()
    assert "SUPERB's corpora" in shown.out
    assert str(path) in shown.err


def test_json_on_the_terminal_is_one_document(folders, tmp_path, capsys):
    path = tmp_path / "board.json"
    assert commands.main(["report", "--table", "--json", *folders, "-o", str(path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads(path.read_text(encoding="utf-8"))
    assert [one["name"] for one in document["boards"][0]["upstreams"]] == ["a", "b"]


def test_the_folder_of_a_study_stands_for_its_upstreams(folders, tmp_path, capsys):
    assert commands.main(["report", "--table", "--json", str(tmp_path)]) == 0
    assert len(json.loads(capsys.readouterr().out)["boards"][0]["upstreams"]) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--table", "-o", "board.html"], "-o board.html: the ending decides the format; give one of .md, .csv, .json"),
        (["-o", "board.md"], "-o board.md: give FILE.html for the page, or --table, too, for the leaderboard"),
        (["--table", "--differences"], "--table and --differences are two reports"),
        (["--table", "--figures", "f"], "leave out --table or --figures"),
        (["--format", "svg"], "--format svg: it is about figures; give --figures DIR, too"),
        (["--figures", "f", "--format", "bmp"], "figures as 'bmp' cannot be written; known: pdf, png, svg"),
        (["--table", "-o", "/dev/null/board.md"], "/dev/null/board.md cannot be written: "),
        (["--table", "no/such/folder"], "no/such/folder/results.jsonl: no results there"),
    ],
)
def test_mistakes_are_told_in_one_line(folders, capsys, words, told):
    assert commands.main(["report", *words, *folders]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert told in line


@pytest.mark.parametrize("words", [[], ["--differences"]])
def test_empty_results_are_told(tmp_path, capsys, words):
    (tmp_path / results.FILE_NAME).write_text("")
    assert commands.main(["report", str(tmp_path), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the results are empty; run an analysis or a task first" in line


def test_differences_of_a_study_are_those_of_its_two_runs(folders, tmp_path, capsys):
    results.write(tmp_path / "c", board_rows.run("c", {"PR": 0.3})[1])
    assert commands.main(["report", str(tmp_path), "--differences"]) == 2
    assert "takes one folder or two, and 3 are given; --compare takes more" in capsys.readouterr().err


def test_a_broken_file_is_named(folders, tmp_path, capsys):
    path = tmp_path / "a" / results.FILE_NAME
    path.write_text(path.read_text() + '{"upstream": 1\n')
    assert commands.main(["report", "--table", *folders]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}, line 2: not a results row" in line
