"""One tap from several measures: agreement, disagreement, preferences, learned weights, and what a reader is told."""

from dataclasses import replace
from pathlib import Path

import pytest
import tap_rows

from s3prl_plugin.report.sections import Column, written
from s3prl_plugin.results import Row
from s3prl_plugin.select import Source, criterion, recommend, text

TAPS = tap_rows.TAPS
PEAK = [0.20, 0.22, 0.25, 0.30, 0.40, 0.32, 0.30, 0.25, 0.20]
PLATEAU = [0.2, 0.2, 0.4, 0.4, 0.4, 0.4, 0.3, 0.2, 0.2]


def source(*groups, **changes):
    return Source(
        folder=Path("run"), rows=tuple(row for rows in groups for row in rows), upstream="mr_hubert_local", **changes
    )


def of(task, *groups, **options):
    return recommend(criterion(task), source(*groups), **options)


def test_measures_that_agree_name_one_tap():
    found = of("PR", tap_rows.layers(PEAK), tap_rows.layers(PEAK, "mi_phone", seed=1))
    assert (found.tap.tap, found.agree) == (TAPS[4], True)


@pytest.mark.parametrize("task", ["ASR", "IC", "SF", "KS", "SID", "ASV", "SD", "SE", "SS", "PR", "QbE"])
def test_every_task_finds_its_planted_tap(task):
    chosen = criterion(task).measures
    misleading = [tap_rows.layers([*PEAK[:4], 0.0, *PEAK[5:]], name) for name in ("cca_intra", "mi_word")]
    means = {"abx_phone": [1 - value for value in PEAK]}  # errors
    planted = (tap_rows.layers(means.get(name, PEAK), name, seed=i) for i, name in enumerate(chosen))
    found = of(task, *misleading, *planted)
    assert found.tap.tap == TAPS[4]
    assert [each.measure for each in found.choices] == list(chosen)


def test_the_lowest_of_those_within_a_standard_error_is_taken():
    rows = tap_rows.layers(PLATEAU, "cca_word", spread=0.02, seed=2)
    found = of("IC", rows)
    close = [row.tap for row in found.choices[0].close]
    assert len(close) > 1
    assert found.tap.tap == min(close, key=TAPS.index)
    assert "the lowest, so the cheapest" in found.why


def test_the_best_is_taken_where_that_is_preferred():
    rows = tap_rows.layers(PLATEAU, "cca_word", spread=0.02, seed=2)
    found = of("IC", rows, prefer="best")
    assert found.tap.value == max(row.value for row in rows)
    assert found.why == "the highest cca_word"


def test_what_one_measure_excludes_is_not_taken():
    # by phones taps 2 to 5 are equal; by clusters 4 and 5 only
    by_clusters = [0.1, 0.1, 0.2, 0.2, 0.4, 0.4, 0.2, 0.1, 0.1]
    found = of(
        "PR", tap_rows.layers(PLATEAU, spread=0.01), tap_rows.layers(by_clusters, "mi_phone", seed=1, spread=0.01)
    )
    assert found.agree
    assert found.tap.tap in TAPS[4:6]


def test_measures_that_disagree_are_both_shown_and_the_first_decides():
    found = of("PR", tap_rows.layers(PEAK), tap_rows.layers([0.5, *PEAK[1:]], "mi_phone", seed=1))
    assert found.agree is False
    assert found.tap.tap == TAPS[4]
    assert "disagree" in found.why
    assert [each.best.tap for each in found.choices] == [TAPS[4], TAPS[0]]


def test_a_measure_that_is_missing_does_not_keep_the_other_from_choosing():
    found = of("ASR", tap_rows.layers(PEAK))
    assert found.tap.tap == TAPS[4]
    assert [each.measure for each in found.absent] == ["cca_word"]
    assert found.agree is None


def test_without_its_measures_nothing_is_recommended():
    found = of("SID", tap_rows.layers(PEAK))
    assert found.tap is None
    assert found.choices == ()


def weights(values, features):
    return [
        Row(upstream="mr_hubert_local", measure="KS", score="weight", tap=tap, tap_index=i, value=value, seed=seed,
            features=features)
        for seed in (1, 2)
        for i, (tap, value) in enumerate(zip(TAPS, values, strict=True))
    ]  # fmt: skip


def test_learned_weights_are_evidence_only_of_normalised_states():
    values = [0.04] * 8 + [0.68]
    rows = tap_rows.layers(PEAK, "cca_word")
    plain = of("KS", rows, weights(values, "hidden_states"))
    assert plain.weights == {}
    assert any("no evidence" in note for note in plain.notes)
    normalised = of("KS", rows, weights(values, "hidden_states --upstream_feature_normalize"))
    assert normalised.weights[TAPS[8]] == pytest.approx(0.68)
    assert not any("no evidence" in note for note in normalised.notes)


def test_the_grid_is_told_for_segments_at_several_rates_and_not_for_spectra():
    assert any("grid" in note for note in of("IC", tap_rows.layers(PEAK, "cca_word")).notes)
    assert not any("grid" in note for note in of("SE", tap_rows.layers(PEAK, "cca_mel")).notes)


def test_grey_rows_and_better_outputs_are_told():
    rows = [replace(row, grey="limited by data") for row in tap_rows.layers(PEAK, "cca_mel")]
    output = replace(rows[0], tap="res_out1", tap_index=9, block=None, value=0.9)
    notes = of("SE", [*rows, output]).notes
    assert any("in brackets: limited by data" in note for note in notes)
    assert any("res_out1 (0.900)" in note for note in notes)


def test_an_interval_is_told_where_there_is_one():
    rows = tap_rows.layers(PEAK)
    for low, high, said in ((-0.02, 0.04, " ±0.030"), (None, None, "")):
        given = [replace(row, ci_low=low and row.value + low, ci_high=high and row.value + high) for row in rows]
        choice = of("PR", given).choices[0]
        row = next(row for row in choice.rows if row.tap == TAPS[0])
        told = text._cells(choice, TAPS[0])[0]
        assert written(told, Column("", "number", decimals=3)) == f"{row.value:.3f}{said}"
