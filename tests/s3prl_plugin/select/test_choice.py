"""What one measure says of the taps: planted best taps, equals, refusals, and rows that are about something else."""

from dataclasses import replace

import numpy as np
import tap_rows

from s3prl_plugin.select.choice import Absent, choose, lowest

PEAK = [0.20, 0.22, 0.25, 0.30, 0.40, 0.32, 0.30, 0.25, 0.20]


def names(rows):
    return [row.tap for row in rows]


def test_a_planted_best_tap_is_found_and_stands_alone():
    found = choose(tap_rows.layers(PEAK), "cca_phone")
    assert found.best.tap == tap_rows.TAPS[4]
    assert names(found.not_told_apart) == names(found.close) == [tap_rows.TAPS[4]]
    assert found.times_best == {tap_rows.TAPS[4]: 8}
    assert abs(found.score.estimate.value - found.best.value) < 1e-9  # every half chooses it


def test_taps_that_differ_by_noise_alone_are_not_told_apart_and_others_are():
    means = [0.2, 0.2, 0.4, 0.4, 0.4, 0.3, 0.3, 0.2, 0.2]
    found = choose(tap_rows.layers(means, spread=0.01), "cca_phone")
    assert set(names(found.not_told_apart)) == set(tap_rows.TAPS[2:5])
    assert set(names(found.close)) <= set(names(found.not_told_apart))
    assert found.best in found.close
    assert lowest(found.not_told_apart).tap == tap_rows.TAPS[2]


def test_close_taps_are_within_one_standard_error_of_the_paired_difference():
    rows = tap_rows.layers([0.39, 0.395, 0.4, 0.4, 0.4, 0.399, 0.398, 0.397, 0.38], spread=0.01)
    per_fold = {row.tap: np.array(row.per_fold) for row in rows}
    found = choose(rows, "cca_phone")
    close = []
    for row in found.not_told_apart:
        apart = per_fold[found.best.tap] - per_fold[row.tap]
        if apart.mean() <= apart.std(ddof=1) * np.sqrt(1 / 8 + 1 / 7):
            close.append(row.tap)
    assert names(found.close) == close
    assert 1 < len(close) < len(found.not_told_apart)


def test_a_tap_alone_is_the_best():
    found = choose(tap_rows.layers([0.3]), "cca_phone")
    assert (found.best.tap, found.tested, found.left_out) == ("layer0", False, ())


def test_a_measure_of_which_less_is_better_is_turned_round():
    found = choose(tap_rows.layers(PEAK, higher_is_better=False), "cca_phone")
    assert found.best.tap in (tap_rows.TAPS[0], tap_rows.TAPS[8])
    assert set(names(found.not_told_apart)) <= {tap_rows.TAPS[0], tap_rows.TAPS[8]}


def test_refused_rows_are_named_and_passed_over():
    rows = tap_rows.layers(PEAK)
    rows[4] = replace(rows[4], value=None, per_fold=None, refused="too few rows")
    found = choose(rows, "cca_phone")
    assert found.best.tap == tap_rows.TAPS[5]
    assert found.left_out == ((tap_rows.TAPS[4], "refused: too few rows"),)


def test_where_all_are_refused_the_measure_says_nothing():
    rows = [replace(row, value=None, per_fold=None, refused="n/d 0.7") for row in tap_rows.layers(PEAK)]
    assert choose(rows, "cca_phone") == Absent("cca_phone", "refused: n/d 0.7")


def test_a_measure_that_was_not_run_is_absent():
    assert choose(tap_rows.layers(PEAK), "mi_phone") == Absent("mi_phone", "not in the results")


def test_grey_rows_count():
    rows = [replace(row, grey="few rows") for row in tap_rows.layers(PEAK)]
    assert choose(rows, "cca_phone").best.tap == tap_rows.TAPS[4]


def test_without_what_folds_say_the_best_is_named_and_nothing_tested():
    rows = [replace(row, per_fold=None) for row in tap_rows.layers(PEAK)]
    found = choose(rows, "cca_phone")
    assert (found.best.tap, found.tested, found.score) == (tap_rows.TAPS[4], False, None)


def test_outputs_other_protocols_and_conditions_are_not_chosen_among():
    rows = tap_rows.layers(PEAK)
    output = replace(rows[0], tap="res_out1", tap_index=9, block=None, value=0.9)
    others = [
        output,
        replace(rows[0], value=0.9, protocol="published"),
        replace(rows[0], value=0.9, headline=False),
        replace(rows[0], value=0.9, subset="speech"),
        replace(rows[0], value=0.9, control="duration"),
        replace(rows[0], value=0.9, segments="overlap"),
        replace(rows[0], value=0.9, upstream2="other"),
    ]
    assert choose([*others, *rows, *others], "cca_phone").best.tap == tap_rows.TAPS[4]


def test_of_two_runs_the_last_one_counts():
    before = tap_rows.layers(PEAK[::-1], folds_id="old", corpus="old")
    assert {row.corpus for row in choose([*before, *tap_rows.layers(PEAK)], "cca_phone").rows} == {"c"}


def test_a_trivial_row_is_no_candidate():
    rows = tap_rows.layers(PEAK, measure="cca_intra")
    rows[0] = replace(rows[0], trivial=True, value=0.99, per_fold=None)
    assert choose(rows, "cca_intra").best.tap == tap_rows.TAPS[4]
