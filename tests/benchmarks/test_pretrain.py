"""The measure of reading beside training: a row per format, of the work that it says."""

import json

import pytest

from benchmarks import pretrain
from benchmarks.__main__ import main
from benchmarks.ratios import Measuring


def test_a_row_per_format_and_no_bar_for_a_quick_one(capsys):
    assert main(["pretrain", "--quick", "--rounds", "1", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"].split()[-1] for row in rows] == list(pretrain.FORMATS)
    assert all(row["bar"] is None and row["ratio"] > 0 for row in rows)
    # crops of 4 s: files of 1, 2, 3 s and five of more
    assert all(row["note"].startswith("26 s of audio") for row in rows)


def test_reading_slower_than_training_misses_the_bar(monkeypatch):
    monkeypatch.setattr(pretrain, "FILES", 4)
    monkeypatch.setattr(pretrain, "FORMATS", {"WAV": "PCM_16"})
    monkeypatch.setattr(pretrain, "BAR", float("inf"))
    (ratio,) = pretrain.measure(Measuring(rounds=1))
    assert not ratio.reached
    assert ratio.value == pytest.approx(ratio.low)
