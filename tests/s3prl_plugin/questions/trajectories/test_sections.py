"""The report's sections on pre-training: planted courses come out as they were planted, with paired intervals."""

import json
from dataclasses import replace

import numpy as np
import planted_runs
import pytest
import scipy.stats

from s3prl_plugin import results
from s3prl_plugin.questions import trajectories
from s3prl_plugin.questions.trajectories import numbers, runs
from s3prl_plugin.questions.trajectories.sections import changes

UPDATES = (0, 100, 1000)


def course(share):
    """Phones rise and their peak goes up; the last decoder tap returns to the spectrum."""
    top = 2 + round(4 * share)
    bump = [0.1 + (0.2 + 0.3 * share) * (place == top) for place in range(9)]
    mel = [0.5, 0.45, 0.4, 0.3, 0.3, 0.3, 0.3, 0.35, 0.3 + 0.2 * share]
    return {
        "mi_phone": [*bump, 0.1, 0.1],
        "mi_word": [*[0.2 + 0.02 * i for i in range(9)], 0.3, 0.3],
        "cca_mel": [*mel, 0.3, 0.64],
        "rank": [10.0 + place + 5 * share for place in range(11)],
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return planted_runs.study(tmp_path_factory.mktemp("study"), "grown", UPDATES, course)


@pytest.fixture(scope="module")
def run(study):
    return runs.find(study)[0][0]


def of(run, index):
    found = numbers.of_checkpoint(run.checkpoints[index], run.measures)
    return {(n.kind, n.measure): n for n in found}


def test_a_checkpoints_numbers_are_the_planted_ones(run):
    first, last = of(run, 0), of(run, -1)
    assert first["peak", "mi_phone"].value == 2 / 8
    assert last["peak", "mi_phone"].value == 6 / 8
    assert last["drop", "mi_phone"].taps == "dec0.pre - dec0.layer1"
    assert last["drop", "mi_phone"].value == pytest.approx(0.5, abs=0.01)
    assert first["return", "cca_mel"].value == pytest.approx(0.0, abs=0.02)
    assert last["return", "cca_mel"].value == pytest.approx(0.5 - 0.3, abs=0.02)
    assert last["return", "cca_mel"].taps == "dec0.layer1 - mid.layer1"
    assert last["output", "cca_mel"].taps == "res_out1 - mid.layer1"
    assert last["output", "cca_mel"].value == pytest.approx(0.64 - 0.3, abs=0.02)
    assert last["rank", "rank, middle"].value == pytest.approx(20, abs=0.05)
    assert last["rank", "rank, top"].value == pytest.approx(23, abs=0.05)
    assert (last["drop", "mi_word"].value, last["drop", "mi_word"].low) == (0.0, None)  # the top is the highest
    for number in last.values():
        assert number.low is None or number.low <= number.value <= number.high


def test_the_middle_of_a_network_without_blocks_is_at_half():
    taps = tuple((None, f"layer{i}", 320) for i in range(13))
    rows = planted_runs.network("cca_mel", [0.1] * 13, np.random.default_rng(0), taps=taps)
    assert numbers.middle(rows).tap == "layer6"
    plain = planted_runs.network(
        "cca_mel", [0.1] * 5, np.random.default_rng(0), taps=[("mid", f"l{i}", 320) for i in range(5)]
    )
    assert numbers.middle(plain).tap == "mid.l2"


def folds_of(row):
    """What every fold says."""
    if row.per_fold is not None:
        return np.array(row.per_fold)
    without = np.array(row.replicates)
    return len(without) * row.value - (len(without) - 1) * without


def test_changes_are_paired_over_folds(run):
    found = {(c.label.split(": ")[1].split(",")[0], c.measure): c for c in changes(run)}
    change = found["highest tap less the top tap", "mi_phone"]
    rows = [{row.tap: row for row in run.checkpoints[i].of("mi_phone")} for i in (0, -1)]
    per_fold = (folds_of(rows[1]["dec0.pre"]) - folds_of(rows[1]["dec0.layer1"])) - (
        folds_of(rows[0]["enc0.layer1"]) - folds_of(rows[0]["dec0.layer1"])
    )
    expected = scipy.stats.ttest_1samp(per_fold, 0).confidence_interval()
    assert change.value == pytest.approx(per_fold.mean())
    assert (change.ci_low, change.ci_high) == pytest.approx((expected.low, expected.high))
    moved = found["relative depth of the highest tap", "mi_phone"]
    assert (moved.value, moved.ci_low, moved.ci_high) == (0.5, 0.5, 0.5)
    assert found["top tap less the middle", "cca_mel"].ci_low > 0.1


def test_rows_of_other_folds_have_no_interval(tmp_path):
    made = planted_runs.study(tmp_path, "a", [1], course) + planted_runs.study(tmp_path, "a", [2], course, folds_id="g")
    run = runs.find(made)[0][0]
    change = next(c for c in changes(run) if c.measure == "cca_mel")
    assert change.value is not None
    assert change.ci_low is None


def test_refused_numbers_say_why(tmp_path):
    made = planted_runs.study(tmp_path, "a", [1, 2], course)
    nothing = dict.fromkeys(("value", "replicates", "per_fold", "ci_low", "ci_high")) | {"refused": "limited by data"}
    rows = [replace(row, **nothing) if row.measure == "mi_phone" else row for row in results.read(made[1])]
    (made[1] / results.FILE_NAME).unlink()
    results.write(made[1], rows)
    overview = trajectories.sections(made)[0]
    refused = [c for c in overview.contrasts if c.refused]
    assert {c.measure for c in refused} == {"mi_phone"}
    assert all("limited by data" in c.refused for c in refused)
    assert any("limited by data" in table.note for table in overview.tables)


def test_the_sections_show_everything(study, run):
    overview, maps = trajectories.sections(study)
    assert overview.name == "trajectories"
    table = next(t for t in overview.tables if "relative depth" in t.title)
    assert tuple(table.names) == ("update", "mi_phone", "95 % interval", "mi_word", "95 % interval")
    assert [r[:2] for r in table.rows] == [(0, 0.25), (100, 0.25), (1000, 0.75)]
    assert len(maps.figures) == len(run.measures) == 4
    assert len(overview.figures) == 5


def test_figures_hold_the_numbers(study, run):
    overview, maps = trajectories.sections(study)
    heat = json.dumps(maps.figures[0].spec)
    for row in run.checkpoints[1].of("mi_phone"):
        assert f'"value": {round(row.value, 4)}' in heat
    rank = next(f for f in overview.figures if f.title == "effective rank")
    values = [value for value in _dictionaries(rank.spec) if "taps" in value]
    expected = {(c.update, n.measure, round(n.value, 5)) for c, n in _ranks(run)}
    assert {(v["update"], v["measure"], v["value"]) for v in values} == expected


def _ranks(run):
    return [(c, n) for c in run.checkpoints for n in numbers.of_checkpoint(c, run.measures) if n.kind == "rank"]


def _dictionaries(spec):
    """Every mapping in a specification."""
    if isinstance(spec, dict):
        yield spec
    for inner in spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ():
        yield from _dictionaries(inner)


def test_figures_can_be_drawn(study):
    vl_convert = pytest.importorskip("vl_convert")
    for section in trajectories.sections(study):
        for figure in section.figures[:2]:
            assert vl_convert.vegalite_to_svg(json.dumps(figure.spec)).startswith("<svg")


def test_two_runs_share_their_panels(study, tmp_path):
    other = planted_runs.study(tmp_path, "second", UPDATES, course, seed=1)
    overview, *maps = trajectories.sections([*study, *other])
    assert [section.name for section in maps] == ["layers-grown", "layers-second"]
    assert "second" in json.dumps(overview.figures[0].spec)


def test_without_figures_the_numbers_are_the_same(study):
    (overview,) = trajectories.sections(study, figures=False)
    whole = trajectories.sections(study)[0]
    assert overview.figures == ()
    assert (overview.contrasts, overview.tables) == (whole.contrasts, whole.tables)


def test_other_results_have_no_such_section(tmp_path):
    assert trajectories.sections(planted_runs.study(tmp_path, "a", [5], course)) == ()
