"""Every branch of the rules."""

import pytest

from s3prl_plugin.questions.comparison import verdicts
from s3prl_plugin.report.sections import Contrast


def contrast(value, reach=0.01, label="one", **fields):
    numbers = {"value": value, "ci_low": value - reach, "ci_high": value + reach, "p": 0.5}
    return Contrast(**{"label": label, "measure": "cca_word", "score": "r2", **numbers, **fields})


def no(reason="too few words", label="another"):
    return Contrast(label=label, measure="cca_word", score="r2", refused=reason)


def test_lower_carries_more_where_all_three_say_so():
    said = verdicts.lower_carries_more(contrast(0.1), contrast(0.05), contrast(0.06))
    assert said == "Lower carries more: words on one grid differ by +0.100 [+0.090, +0.110]."


def test_an_agreeing_row_whose_interval_includes_zero_is_named():
    said = verdicts.lower_carries_more(contrast(0.1), contrast(0.005), contrast(0.06))
    assert said.startswith("Lower carries more")
    assert "the within-model contrast points the same way, with 0 in the interval" in said
    both = verdicts.lower_carries_more(contrast(0.1), contrast(0.005), contrast(0.006))
    assert "the within-model contrast and words against phones point the same way" in both


@pytest.mark.parametrize(("within", "against"), [(-0.001, 0.1), (0.1, -0.001), (0.0, 0.1), (-0.1, -0.1)])
def test_it_is_not_decided_where_one_of_them_disagrees(within, against):
    said = verdicts.lower_carries_more(contrast(0.1), contrast(within), contrast(against))
    assert said.startswith("Not decided")
    assert ("the within-model contrast" in said, "words against phones" in said) == (within <= 0, against <= 0)


def test_no_effect_only_within_two_hundredths():
    others = contrast(0.1), contrast(0.1)
    assert verdicts.lower_carries_more(contrast(0.0, 0.019), *others).startswith("No effect")
    assert verdicts.lower_carries_more(contrast(0.0, 0.021), *others).startswith("Not decided")
    assert verdicts.lower_carries_more(contrast(-0.015, 0.01), *others).startswith("Not decided")
    assert verdicts.lower_carries_more(contrast(-0.012, 0.005), *others).startswith("No effect")
    small = verdicts.lower_carries_more(contrast(0.012, 0.005), *others)
    assert small.startswith("Lower carries more")
    assert "all of it within ±0.02" in small
    disagreed = verdicts.lower_carries_more(contrast(0.012, 0.005), contrast(-1), contrast(1))
    assert disagreed.startswith("No effect")


def test_less_is_not_more():
    said = verdicts.lower_carries_more(contrast(-0.1), contrast(-0.1), contrast(-0.1))
    assert said.startswith("Not decided")
    assert "in favour of the higher rate" in said


@pytest.mark.parametrize("place", range(3))
def test_a_refused_or_doubtful_row_decides_nothing(place):
    for bad, reason in (
        (no(), "too few words"),
        (contrast(0.1, grey="differs also in layers"), "differs also in layers"),
    ):
        rows = [contrast(0.1), contrast(0.1), contrast(0.1)]
        rows[place] = bad
        said = verdicts.lower_carries_more(*rows)
        assert said.startswith("Not decided")
        assert reason in said


UNITS = ("cca_word",)


def member(value, reach=0.01, p_holm=1.0, **fields):
    return contrast(value, reach, family="loss", p_holm=p_holm, **fields)


def test_an_effect_where_a_declared_contrast_differs_after_holm():
    said = verdicts.effect("the loss", [member(0.1, p_holm=0.01), member(0.0)], UNITS)
    assert said == "The loss makes a difference in 1 of 2 declared contrasts (Holm), with the better score."
    worse = member(0.1, p_holm=0.01, higher_is_better=False)
    assert "with the worse score" in verdicts.effect("the loss", [worse], UNITS)
    both = verdicts.effect("it", [worse, member(0.1, p_holm=0.01)], UNITS)
    assert "1 with the better score, 1 with the worse" in both


def test_exploratory_grey_and_refused_contrasts_do_not_count():
    rows = [contrast(0.5), member(0.5, p_holm=0.0, grey="context"), no()]
    assert verdicts.effect("it", rows, UNITS) == "Not decided: no declared contrast could be had."


def test_no_effect_needs_every_interval_within_two_hundredths():
    assert verdicts.effect("it", [member(0.0), member(0.005)], UNITS).startswith("No effect of it")
    assert verdicts.effect("it", [member(0.0), member(0.0, 0.03)], UNITS).startswith("Not decided")
    assert verdicts.effect("it", [member(0.0), member(0.0, measure="SID")], UNITS).startswith("Not decided")


@pytest.mark.parametrize(("p_holm", "differs"), [(0.049, True), (0.051, False), (0.4, False)])
def test_an_effect_is_one_below_five_per_cent(p_holm, differs):
    said = verdicts.effect("the loss", [member(0.1, p_holm=p_holm), member(0.0)], UNITS)
    assert said.startswith("The loss makes a difference" if differs else "Not decided")
