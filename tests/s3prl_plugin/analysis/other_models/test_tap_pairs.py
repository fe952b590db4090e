"""Which pairs a matrix has, where their numbers stand, and which rows they share."""

import itertools

import numpy as np
import pytest

from s3prl_plugin.analysis.other_models import tap_pairs
from s3prl_plugin.analysis.other_models.tap_pairs import Side, TapPairs, seconds_of_product
from s3prl_plugin.states.taps import Tap

TAPS = tuple(Tap(i, f"layer{i}", None, f"layer{i}", 320, 4 + i) for i in range(3))


class Rows:
    def __init__(self, numbers):
        self.numbers = np.array(numbers)

    def rows(self):
        return self.numbers

    def frames(self, tap, rows):
        return np.zeros((len(rows), TAPS[tap].dim), dtype=np.float32)


FOLD = np.array([0, 0, 1, 1, 1, 2, 3, 3])


def test_within_a_model_every_place_is_filled_from_half_of_the_pairs():
    pairs = TapPairs(Side(TAPS, Rows(range(8))), None, FOLD, 4)
    assert len(pairs.pairs) == 6
    places = [(tap.name, tap2.name) for pair in pairs.pairs for tap, tap2, _ in pairs.places(pair)]
    assert len(places) == len(set(places)) == 9
    trivial = [fields["trivial"] for pair in pairs.pairs for *_, fields in pairs.places(pair)]
    assert sum(trivial) == 3
    assert {fields["upstream2"] for *_, fields in pairs.places((0, 1))} == {None}


def test_between_models_every_pair_stands_once_with_the_other_s_name():
    pairs = TapPairs(Side(TAPS, Rows(range(8))), Side(TAPS[:2], Rows(range(8)), "other"), FOLD, 4)
    found = [place for pair in pairs.pairs for place in pairs.places(pair)]
    places = [(tap.name, fields["tap2"], fields["upstream2"]) for tap, _, fields in found]
    assert len(places) == len(set(places)) == 6
    assert {name for *_, name in places} == {"other"}
    assert not any(fields["trivial"] for *_, fields in found)


def test_rows_are_those_of_both_and_a_fold_needs_two():
    pairs = TapPairs(Side(TAPS, Rows([0, 1, 2, 3, 5, 6])), Side(TAPS, Rows([0, 1, 2, 4, 5, 6, 7]), "other"), FOLD, 4)
    rows = pairs.rows()
    assert rows.tolist() == [0, 1, 2, 5, 6]
    assert [rows[part].tolist() for part in pairs.parts(rows)] == [[0, 1]]


@pytest.mark.parametrize(("seconds", "said"), [(0.1, "a minute or less"), (30.0, "about 3 minutes")])
def test_the_line_says_how_long(seconds, said):
    pairs = TapPairs(Side(TAPS, Rows(range(8))), None, FOLD, 4)
    assert pairs.line("cka_matrix", seconds) == f"cka_matrix: 6 pairs of this model's taps, after the pass: {said}"
    assert pairs.widest == 6
    assert seconds_of_product(10, 8) > 0


def test_the_time_of_a_product_grows_with_its_rows(monkeypatch):
    """A clock that goes on by a second at every look: a product of 256 rows takes one, ten times as many rows ten."""
    clock = itertools.count()
    monkeypatch.setattr(tap_pairs.time, "perf_counter", lambda: next(clock))
    assert [seconds_of_product(n, 4) for n in (100, 256, 2560)] == [1, 1, 10]
