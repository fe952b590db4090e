"""Item files: text, never CSV; and what abx_error says to those it cannot use."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from s3prl_plugin.downstream.abx import abx_error, items
from s3prl_plugin.downstream.abx.items import HEADER, Item
from s3prl_plugin.errors import UserError

ORACLE = Path(__file__).parents[2] / "data" / "abx"


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


@pytest.mark.parametrize("name", ["phone", "triphone", "phone10", "word"])
def test_what_is_written_is_what_is_read(tmp_path: Path, name: str) -> None:
    found = items.read(ORACLE / f"{name}.item")
    items.write(tmp_path / "again.item", found)
    assert items.read(tmp_path / "again.item") == found
    assert items.of_triphones(found) == (name == "triphone")


def test_quotation_marks_numbers_and_further_columns_are_text(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.item", '1/u 0 0.1 "a b c 7', "1/u 0.1 0.2 b,c - - 08 more columns", "1/u 0.2 0.31 c - - s"
    )
    assert items.read(path) == [
        Item("1/u", Fraction(0), Fraction(1, 10), '"a', "b", "c", "7"),
        Item("1/u", Fraction(1, 10), Fraction(1, 5), "b,c", "-", "-", "08"),
        Item("1/u", Fraction(1, 5), Fraction(31, 100), "c", "-", "-", "s"),
    ]
    for label in ('"a', "a b", ""):
        with pytest.raises(UserError, match="cannot stand in an item file"):
            items.write(tmp_path / "b.item", [Item("u", Fraction(0), Fraction(1), label, "-", "-", "s")])
    assert not (tmp_path / "b.item").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("u 0 0.1 a - -", "line 2: 6 fields, 7 needed"),
        ("u -0.1 0.1 a - - s", "line 2: '-0.1' is no time"),
        ("u 0.2 0.1 a - - s", "line 2: ends at 0.1 s, before it begins"),
        ("u nan 0.1 a - - s", "is no time"),
        ("", "holds no tokens"),
    ],
)
def test_lines_that_are_no_tokens(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        items.read(written(tmp_path / "a.item", line))


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.item").write_text("")
    (tmp_path / "binary.item").write_bytes(b"\xff\xfe\x00")
    for name in ("empty.item", "binary.item", "missing.item"):
        with pytest.raises(UserError, match=name):
            items.read(tmp_path / name)


def test_what_cannot_be_scored_says_so(tmp_path: Path) -> None:
    features = {"u": np.random.default_rng(0).standard_normal((50, 4))}
    two = ("u 0 0.1 a - - s", "u 0.1 0.2 b - - s")
    path = written(tmp_path / "a.item", *two, "u 0.2 0.3 a - - s")
    assert 0 <= abx_error(features, path, 100).error <= 1
    cases = [
        ({"items": written(tmp_path / "one.item", *two)}, "no triplet within speakers"),
        ({"speaker": "across"}, "it needs two speakers"),
        ({"speaker": "both"}, "speaker is 'both'"),
        ({"context": "all"}, "context is 'all'"),
        ({"frame_rate": 12.5}, "a float would lose frames"),
        ({"frame_rate": "0"}, "frame_rate is '0'"),
        ({"features": {"v": features["u"]}}, "no features of 'u'; known: v"),
        ({"frame_rate": 1000}, "no token has a frame inside the features"),
        ({"items": ORACLE / "triphone.item"}, "set context to 'triphone'"),
    ]
    for changed, said in cases:
        arguments = {"features": features, "items": path, "frame_rate": 100, **changed}
        with pytest.raises(UserError, match=said):
            abx_error(**arguments)
