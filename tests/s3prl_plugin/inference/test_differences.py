"""Paired differences of rows, against a t test on what the folds say, and what they refuse to compare."""

import itertools
import json
from dataclasses import replace

import fold_scores
import numpy as np
import pytest
import scipy.stats

from s3prl_plugin import commands, results
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import differences
from s3prl_plugin.report import differences as shown
from s3prl_plugin.results import Row

FOLDS = 8


def row(tap="layer0", per_fold=None, rng=None, score="r2", **changes):
    """A row whose score is the mean over folds of what each one says."""
    rng = rng or np.random.default_rng(0)
    per_fold = np.asarray(per_fold if per_fold is not None else 0.3 + 0.02 * rng.standard_normal(FOLDS))
    fields = {
        "upstream": "u",
        "measure": "cca_phone",
        "score": score,
        "protocol": "default",
        "headline": True,
        "corpus": "c",
        "folds_id": "f",
        "seed": 1,
        "tap": tap,
        "tap_index": int(tap.removeprefix("layer")),
        "stride": 320,
        **fold_scores.scored(per_fold, score),
    }
    return Row(**{**fields, **changes})


def layers(means, rng, spread=0.01, common=0.03, **changes):
    """Rows of several taps whose folds have much in common."""
    shared = common * rng.standard_normal(FOLDS)
    return [
        row(f"layer{i}", mean + shared + spread * rng.standard_normal(FOLDS), **changes) for i, mean in enumerate(means)
    ]


def test_the_difference_of_means_is_the_paired_t_test():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, FOLDS))
    found = differences.difference(row(per_fold=a, score="adjusted"), row("layer1", per_fold=b, score="adjusted"))
    expected = scipy.stats.ttest_rel(a, b)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.value == pytest.approx((a - b).mean())
    interval = expected.confidence_interval()
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))


def test_what_folds_say_is_tested_with_nadeau_and_bengios_standard_error():
    a, b = np.random.default_rng(2).standard_normal((2, FOLDS))
    found = differences.difference(row(per_fold=a), row("layer1", per_fold=b))
    error = (a - b).std(ddof=1) * np.sqrt(1 / 8 + 1 / 7)
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(abs((a - b).mean()) / error, 7))
    assert found.ci_high - found.value == pytest.approx(scipy.stats.t.ppf(0.975, 7) * error)


def test_the_other_way_round_is_the_negative():
    rng = np.random.default_rng(3)
    for score in ("r2", "adjusted"):
        a, b = layers([0.3, 0.35], rng, score=score)
        there, back = differences.difference(a, b), differences.difference(b, a)
        assert (there.value, there.ci_low, there.ci_high) == pytest.approx((-back.value, -back.ci_high, -back.ci_low))
        assert there.p == pytest.approx(back.p)


def test_a_row_does_not_differ_from_itself():
    found = differences.difference(row(), row())
    assert (found.value, found.p) == (0.0, 1.0)


@pytest.mark.parametrize("field", ["measure", "score", "protocol", "corpus", "subset", "control", "folds_id", "seed"])
def test_rows_that_differ_in_what_they_are_about_are_refused_by_name(field):
    other = replace(row("layer1"), **{field: 7 if field == "seed" else "other"})
    with pytest.raises(UserError, match=rf"{field} is .* and .*") as caught:
        differences.difference(row(), other)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"per_fold": None}, "what its folds say was not kept"),
        ({"value": None, "refused": "too few rows"}, "refused: too few rows"),
        ({"trivial": True}, "the same"),
        ({"per_fold": [0.1, 0.2, 0.3]}, "8 and 3 folds or speakers"),
    ],
)
def test_rows_without_what_it_takes_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        differences.difference(row(), replace(row("layer1"), **changes))
    with pytest.raises(UserError, match="what its folds say was not kept"):
        differences.difference(row(folds_id=None), row("layer1", folds_id=None))


@pytest.mark.parametrize("measure", ["cca_intra", "cka_intra"])
def test_a_base_tap_of_each_models_own_is_another_reference(measure):
    rng = np.random.default_rng(13)
    a, b = (layers([0.3, 0.4], rng, upstream=name, measure=measure, tap2="layer0") for name in "ab")
    assert differences.difference(a[0], a[1]).p is not None
    with pytest.raises(UserError, match="different references, layer0 of a and layer0 of b"):
        differences.difference(a[0], b[0])
    (table,) = differences.between(a, b)
    assert table.differences == ()
    assert "different references" in table.not_compared[0][1]
    other_base = replace(a[1], tap2="layer1")
    with pytest.raises(UserError, match="different references, layer0 of a and layer1 of a"):
        differences.difference(a[0], other_base)


def test_the_same_tap_of_a_third_model_is_one_reference():
    rng = np.random.default_rng(14)
    a, b = (layers([0.3, 0.4], rng, upstream=name, measure="cca_inter", tap2="l", upstream2="c") for name in "ab")
    assert len(differences.between(a, b)[0].differences) == 2
    with pytest.raises(UserError, match="different references, l of c and l of d"):
        differences.difference(a[0], replace(b[0], upstream2="d"))


def test_within_a_run_every_tap_is_compared_with_the_best_and_corrected_for_all_pairs():
    rows = layers([0.3, 0.4, 0.31, 0.39], np.random.default_rng(4))
    (table,) = differences.within(rows)
    assert [(d.a.tap, d.b.tap) for d in table.differences] == [(f"layer{i}", "layer1") for i in (0, 2, 3)]
    assert table.comparisons == 6
    p = sorted((differences.difference(a, b).p, {a.tap, b.tap}) for a, b in itertools.combinations(rows, 2))
    adjusted = list(itertools.accumulate((min(1, p * (6 - i)) for i, (p, _) in enumerate(p)), max))
    for d in table.differences:
        expected = next(q for q, (_, taps) in zip(adjusted, p, strict=True) if taps == {d.a.tap, "layer1"})
        assert d.p_holm == pytest.approx(expected)
        assert d.value == pytest.approx(d.a.value - rows[1].value)
        plainly = differences.difference(d.a, rows[1])
        assert (d.ci_low, d.ci_high) == pytest.approx((plainly.ci_low, plainly.ci_high))
    assert sum(table.best.values()) == FOLDS


def test_lower_may_be_better():
    (table,) = differences.within(layers([0.3, 0.4], np.random.default_rng(5), higher_is_better=False))
    assert table.differences[0].b.tap == "layer0"
    assert table.best == {"layer0": 8}


def test_what_cannot_be_compared_is_listed_with_the_reason():
    rows = [*layers([0.3, 0.4], np.random.default_rng(6)), row("layer2", value=None, refused="too few rows")]
    (table,) = differences.within([*rows, row("layer3", protocol="published"), row("layer4", headline=False)])
    assert table.not_compared == (("layer2", "refused: too few rows"),)
    (lonely,) = differences.within([row()])
    assert lonely.differences == ()
    assert "no other tap" in lonely.not_compared[0][1]


def test_subsets_controls_and_folds_have_tables_of_their_own():
    rows = []
    for changes in ({}, {"subset": "speech"}, {"control": "duration"}, {"seed": 2, "folds_id": "g"}):
        rows += layers([0.3, 0.4], np.random.default_rng(7), **changes)
    tables = differences.within(rows)
    assert [len(table.differences) for table in tables] == [1] * 4


@pytest.mark.slow
@pytest.mark.parametrize("taps", [2, 12])
def test_equal_taps_are_rarely_said_to_differ_from_the_best(taps):
    runs, rejected, by_shown_pairs = 300, 0, 0
    for run in range(runs):
        (table,) = differences.within(layers([0.3] * taps, np.random.default_rng([taps, run]), score="adjusted"))
        rejected += any(d.p_holm < 0.05 for d in table.differences)
        by_shown_pairs += min(d.p for d in table.differences) * (taps - 1) < 0.05
    assert rejected <= scipy.stats.binom.ppf(0.995, runs, 0.05)
    if taps == 12:
        assert by_shown_pairs > scipy.stats.binom.ppf(0.995, runs, 0.05)  # what the correction for all pairs is for


def test_between_runs_taps_of_the_same_name_are_compared_whatever_their_rate():
    rng = np.random.default_rng(8)
    a, b = layers([0.3, 0.4], rng, upstream="a"), layers([0.3, 0.3], rng, upstream="b", stride=640)
    (table,) = differences.between(a, b)
    assert [(d.a.upstream, d.a.tap, d.b.upstream, d.b.tap) for d in table.differences] == [
        ("a", "layer0", "b", "layer0"),
        ("a", "layer1", "b", "layer1"),
    ]
    assert table.comparisons == 2
    assert table.best is None


@pytest.mark.parametrize("swap", [False, True])
def test_between_runs_of_other_depth_taps_of_the_same_relative_depth_are_compared(swap):
    rng = np.random.default_rng(9)
    runs = [layers([0.3] * 4, rng, upstream="small"), layers([0.3] * 7, rng, upstream="large")]
    (table,) = differences.between(*(runs[::-1] if swap else runs))
    pairs = {(d.a.tap, d.b.tap)[:: -1 if swap else 1] for d in table.differences}
    assert pairs == {("layer0", "layer0"), ("layer1", "layer2"), ("layer2", "layer4"), ("layer3", "layer6")}
    assert {what for what, _ in table.not_compared} == {"layer1", "layer3", "layer5"}


def test_taps_of_another_rate_are_not_matched_by_depth():
    rng = np.random.default_rng(10)
    small, large = layers([0.3] * 4, rng, stride=640), layers([0.3] * 7, rng)
    pairs, alone = differences.matching(small, large)
    assert pairs == []
    assert len(alone) == 11


def test_runs_with_nothing_in_common_are_refused():
    with pytest.raises(UserError, match="no measure of the same corpus in common: cca_phone on c there, cca_mel on c"):
        differences.between([row()], [row(measure="cca_mel")])


def test_runs_of_other_folds_are_not_compared_and_it_says_why():
    (table,) = differences.between([row()], [row(folds_id="g")])
    assert table.differences == ()
    assert "folds_id is 'f' and 'g'" in table.not_compared[0][1]


def test_taps_of_a_network_that_was_cut_are_matched_by_name():
    rng = np.random.default_rng(12)
    whole, cut = layers([0.1, 0.2, 0.3, 0.4], rng), layers([0.1, 0.2], rng)
    pairs, alone = differences.matching(whole, cut, same_network=True)
    assert [(a.tap, b.tap) for a, b in pairs] == [("layer0", "layer0"), ("layer1", "layer1")]
    assert [row.tap for row in alone] == ["layer2", "layer3"]
    by_depth, _ = differences.matching(whole, cut)
    assert [(a.tap, b.tap) for a, b in by_depth] == [("layer0", "layer0"), ("layer3", "layer1")]


def test_the_command_prints_a_table_and_lines_of_json(tmp_path, capsys):
    rng = np.random.default_rng(11)
    for name, means in (("a", [0.3, 0.5, 0.501]), ("b", [0.3, 0.4, 0.5])):
        results.write(tmp_path / name, layers(means, rng, upstream=name, grey="few rows"))
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert commands.main(["report", folders[0], "--differences"]) == 0
    text = capsys.readouterr().out
    assert "every tap less the best" in text
    assert next(line for line in text.splitlines() if line.strip().startswith("layer0")).count("*") == 1
    assert commands.main(["report", *folders, "--differences", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["tap"], each["less_upstream"], each["comparisons"]) for each in lines] == [
        (f"layer{i}", "b", 3) for i in range(3)
    ]
    by_rows = differences.between(results.read(folders[0]), results.read(folders[1]))[0].differences
    assert [each["difference"] for each in lines] == [d.value for d in by_rows]
    assert commands.main(["report", *folders, folders[0], "--differences"]) == 2
    assert "one folder or two, and 3 are given" in capsys.readouterr().err
    assert commands.main(["report", folders[0], "--differences", "--figures", str(tmp_path)]) == 2
    assert "leave out --differences or --figures" in capsys.readouterr().err


def test_a_folder_of_several_upstreams_is_not_compared_with_another():
    with pytest.raises(UserError, match=r"several upstreams \(u, v\)"):
        shown.sections([[row(), row(upstream="v")], [row()]], ["a", "b"])


def test_a_tap_a_whole_step_away_is_not_of_the_same_depth():
    rng = np.random.default_rng(13)
    few, many = layers([0.3] * 4, rng), layers([0.3] * 7, rng)  # a third of the depth is that of layer2 of 7
    other_rate = [replace(row, stride=640) if row.tap == "layer2" else row for row in many]
    pairs, alone = differences.matching(few, other_rate)
    assert [(a.tap, b.tap) for a, b in pairs] == [("layer0", "layer0"), ("layer2", "layer4"), ("layer3", "layer6")]
    assert {id(few[1]), id(other_rate[1]), id(other_rate[3])} <= {id(row) for row in alone}
