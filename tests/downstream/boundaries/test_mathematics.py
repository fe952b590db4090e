"""Matching, scores and peaks against the oracle, an optimal assignment and what was planted."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from s3prl_plugin.downstream.boundaries.matching import TOLERANCE, Counts, chosen_elsewhere, matched
from s3prl_plugin.downstream.boundaries.measures import inner
from s3prl_plugin.downstream.boundaries.peaks import dissimilarities, nearest_edges, peaks, ticks
from s3prl_plugin.inference.refusal import Refused

ORACLE = Path(__file__).parents[2] / "data" / "abx"
TOLD = json.loads((ORACLE / "boundaries.json").read_text())


@pytest.fixture(scope="module")
def boundaries():
    with np.load(ORACLE / "boundaries.npz") as file:
        return {name: file[name] for name in file}


@pytest.mark.parametrize("case", TOLD["cases"])
def test_cases_of_the_oracle(boundaries, case):
    told, sums = TOLD["cases"][case], np.zeros(3)
    for name, references in boundaries.items():
        if name.startswith(f"{case}/ref/"):
            hypotheses = boundaries[name.replace("/ref/", "/hyp/")]
            sums += matched(references.tolist(), hypotheses.tolist(), TOLERANCE), len(references), len(hypotheses)
    counts = Counts(*sums)
    assert sums.tolist() == [told["matched"], told["n_ref"], told["n_hyp"]]
    assert counts.f1 == pytest.approx(told["f1"])
    for score in ("precision", "recall", "over_segmentation", "r_value"):
        if told["n_hyp"] or score == "recall":
            assert getattr(counts, score) == pytest.approx(told[score])
        else:
            with pytest.raises(Refused, match="no boundary was found"):
                getattr(counts, score)


@pytest.mark.parametrize("seed", range(20))
def test_two_pointers_find_as_many_as_an_optimal_assignment(seed):
    rng = np.random.default_rng(seed)
    a, b = (np.sort(rng.integers(0, 4000, rng.integers(0, 25))) for _ in range(2))
    possible = np.abs(a[:, None] - b) <= TOLERANCE
    rows, columns = linear_sum_assignment(possible, maximize=True)
    assert matched(a.tolist(), b.tolist(), TOLERANCE) == possible[rows, columns].sum()


@pytest.mark.parametrize("stride", [320, 640, 1280])
def test_the_ceiling_of_a_grid(boundaries, stride):
    case = f"grid_{stride // 16}ms_nearest"
    for name, references in boundaries.items():
        if name.startswith(f"{case}/ref/"):
            wanted = boundaries[name.replace("/ref/", "/hyp/")]
            assert nearest_edges(references, stride).tolist() == (2 * wanted).tolist()


@pytest.mark.parametrize("stride", [320, 640, Fraction(640, 3)])
@pytest.mark.parametrize("window", [1, 2, 3])
def test_the_time_of_a_peak(stride, window):
    curve = np.zeros(40, dtype=np.float32)
    curve[16 : 16 + window] = curve[29 : 29 + window] = 1
    moments, prominences = peaks(curve, window, stride)
    middle = Fraction(window - 1, 2)
    assert [Fraction(int(m), ticks(stride)) for m in moments] == [(17 + middle) * stride, (30 + middle) * stride]
    assert (prominences > 1).all()


def test_a_jump_lies_where_one_frame_ends_and_the_next_begins():
    frames = torch.zeros(40, 3)
    frames[17:] = torch.tensor([1.0, -2.0, 5.0])
    frames[30:] = torch.tensor([-1.0, 2.0, 5.0])
    for curve in dissimilarities(frames):
        assert peaks(curve, 1, 320)[0].tolist() == [2 * 17 * 320, 2 * 30 * 320]


def test_frames_that_do_not_differ_have_no_peaks():
    for frames in (torch.ones(30, 4), torch.ones(1, 4), torch.zeros(0, 4)):
        for curve in dissimilarities(frames):
            assert len(peaks(curve, 1, 320)[0]) == 0


def test_ends_of_an_utterance_are_no_boundaries():
    assert inner(np.array([0, 320, 321, 321, 5000, 9679, 9680, 10000]), 10000).tolist() == [321, 5000, 9679]


def test_a_setting_is_chosen_without_the_speakers_it_scores():
    table = np.zeros((2, 3, 3))
    table[:, :, 1:] = 10
    table[0, :, 0], table[1, :, 0] = [9, 1, 1], [1, 6, 6]
    counts, setting = chosen_elsewhere(table, np.arange(3))
    assert setting.tolist() == [1, 0, 0], "the first speaker's best is not what the others say"
    assert counts == Counts(3.0, 30.0, 30.0)
