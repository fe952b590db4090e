"""Numbers of trainings at several updates: which ones a study's folders give, and the points of their picture."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from s3prl_plugin import results
from s3prl_plugin.results import Row

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "gallery"))
import trajectories

TAPS = ("mid.pre", "mid.layer0", "mid.layer1", "mid.out")


def write(folder, measure, values, update=None, **fields):
    """A folder of results: a value per tap, or one of a task."""
    common = {"upstream": "u", "measure": measure, "score": "r2", "headline": True, "train_step": update, **fields}
    rows = [
        Row(**common, tap=tap, tap_index=i, block="mid", stride=320, value=value) if tap else Row(**common, value=value)
        for i, (tap, value) in enumerate(values.items())
    ]
    results.write(folder, rows)


@pytest.fixture
def study(tmp_path):
    """Two arms, of which one grows; and a task."""
    for seed in (1, 2, 3):
        for update in (60, 120):
            taps = TAPS if update == 120 else TAPS[:2] + TAPS[3:]
            values = {tap: seed / 10 + update / 1000 + i / 100 for i, tap in enumerate(taps)}
            write(tmp_path / "layers" / f"grown_reset_top_seed{seed}_checkpoint_{update}", "cca_mel", values, update)
        write(tmp_path / "tuned" / f"tuned_reset_top_seed{seed}", "KS", {None: seed / 4})
        write(tmp_path / "tuned" / f"tuned_reset_top_seed{seed}_cut", "KS", {None: seed / 5})
    return tmp_path


def test_numbers_of_the_top_at_every_update_and_of_all_taps_at_the_end(study):
    found = trajectories.records(study / "layers", "made")
    assert {(n["arm"], n["corpus"], n["measure"]) for n in found} == {("reset_top", "made", "cca_mel")}
    by_place = {(n["seed"], n["at"], n["of"]): n["value"] for n in found}
    assert {(at, of) for _, at, of in by_place} == {
        *((at, of) for at in (60, "end") for of in ("top", "top less middle")), *(("end", tap) for tap in TAPS)
    }  # fmt: skip
    assert by_place[2, 60, "top"] == pytest.approx(0.2 + 0.06 + 0.02)
    assert by_place[3, "end", "top"] == by_place[3, "end", "mid.out"] == pytest.approx(0.3 + 0.12 + 0.03)
    # the middle is the tap at half: of three and of four the second
    assert by_place[1, 60, "top less middle"] == pytest.approx(0.01)
    assert by_place[1, "end", "top less middle"] == pytest.approx(0.02)


def test_a_variation_of_a_task_is_an_arm(study):
    found = trajectories.records(study / "tuned", "made")
    assert {(n["arm"], n["of"]) for n in found} == {("reset_top", "whole"), ("reset_top cut", "cut")}
    assert {(n["arm"], n["seed"]): n["value"] for n in found} == {
        ("reset_top" + (" cut" if by == 5 else ""), seed): seed / by for seed in (1, 2, 3) for by in (4, 5)
    }


def test_the_best_tap_of_a_seed_is_the_best_one_of_the_others(tmp_path):
    """Planted: seed 1 would choose the first tap, the others the second."""
    values = {1: (0.9, 0.2, 0.5), 2: (0.1, 0.6, 0.4), 3: (0.3, 0.8, 0.7)}
    for seed, own in values.items():
        write(tmp_path / f"grown_a_seed{seed}_checkpoint_9", "cca_word", dict(zip(TAPS[1:], own, strict=True)), 9)
    numbers = trajectories.with_best(trajectories.records(tmp_path, "made"))
    found = {n["seed"]: n["value"] for n in numbers if n["of"] == "top less best"}
    # the means of the others: (.2, .7, .55) for seed 1, (.6, .5, .6) for seed 2, (.5, .4, .45) for seed 3
    assert found == pytest.approx({1: 0.5 - 0.2, 2: 0.4 - 0.1, 3: 0.7 - 0.3})


def test_a_point_is_a_mean_over_seeds_with_its_t_interval(study):
    numbers = trajectories.records(study / "layers", "made")
    spec = trajectories.figure(numbers, {"spectrum": {"measure": "cca_mel", "of": "top"}}).to_dict()
    points = {point["update"]: point for point in spec["datasets"][spec["data"]["name"]]}
    values = np.array([0.1, 0.2, 0.3]) + 0.08
    interval = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert points.keys() == {60, 120}
    assert points[60]["mean"] == pytest.approx(values.mean())
    assert (points[60]["low"], points[60]["high"]) == pytest.approx(interval)
