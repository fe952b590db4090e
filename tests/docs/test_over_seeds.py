"""Verdicts over training seeds: words follow from intervals, which are those of randomised blocks."""

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

import s3prl_plugin
from s3prl_plugin.errors import UserError
from s3prl_plugin.report.text import table

s3prl_plugin.register()
sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "gallery"))
import over_seeds  # noqa: E402 - beside the gallery's build.py

CELLS = {"low_aux": (True, True), "low": (True, False), "aux": (False, True), "none": (False, False)}
LOSS, RATE = 0.1, -0.04


def numbers(noise, measure="KS", sign=1, seeds=(1, 2, 3), seed=0):
    """Scores with known effects; what a seed has in common with its cells is large."""
    rng = np.random.default_rng(seed)
    common = {each: rng.standard_normal() for each in seeds}
    return [
        {"corpus": "a", "measure": measure, "of": "head", "arm": arm, "seed": each, "cell": list(cell),
         "higher_is_better": sign > 0,
         "value": sign * (LOSS * cell[1] + RATE * cell[0] + common[each] + noise * rng.standard_normal())}
        for arm, cell in CELLS.items() for each in seeds
    ]  # fmt: skip


def seen(holds, effect="loss", noise=1e-4, measures=("KS",), sign=1):
    """The page's numbers with one claim."""
    lines = [{"effect": effect, "corpus": "a", "measure": measure, "of": "head"} for measure in measures]
    found = [each for i, measure in enumerate(measures) for each in numbers(noise, measure, sign, seed=i)]
    return over_seeds.OverSeeds("page", found, {"it": {"holds": holds, "lines": lines}})


@pytest.mark.parametrize("sign", [1, -1], ids=["higher is better", "lower is better"])
@pytest.mark.parametrize(
    ("holds", "effect", "verdict"),
    [
        ("> 0", "loss", "holds at this scale"),
        ("> 0", "rate", "does not"),
        ("< 0.02", "rate", "holds at this scale"),
        ("< 0.02", "loss", "does not"),
        ("> 0.1", "loss", "not decided"),
        ("> 0.05", "aux - none", "holds at this scale"),
        ("> 0", "the loss alone less the lower rate alone", "holds at this scale"),
    ],
)
def test_the_word_follows_from_the_interval(holds, effect, verdict, sign):
    page = seen(holds, effect, sign=sign)
    assert page.verdict("it") == f"**{verdict}**"
    (line,) = page.lines("it")
    truth = {"loss": LOSS, "rate": RATE, "aux - none": LOSS}.get(effect, LOSS - RATE)
    assert line.effect.value == pytest.approx(truth, abs=1e-3)


def test_lines_hold_together():
    """Two lines: each a 97.5 % interval of randomised blocks, computed here from their definition."""
    page = seen("> 0", noise=0.02, measures=("KS", "PR"))
    for line, measure in zip(page.lines("it"), ("KS", "PR"), strict=True):
        y = np.array([[each["value"] for each in page.numbers if each["measure"] == measure and each["arm"] == arm]
                      for arm in CELLS]).T  # fmt: skip
        left = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
        error = np.sqrt(np.square(left).sum() / 6)
        half = scipy.stats.t(6).ppf(1 - 0.05 / 2 / 2) * error * np.sqrt(1 / 3)
        value = (y[:, 0] - y[:, 1] + y[:, 2] - y[:, 3]).mean() / 2
        assert line.effect.pooled
        assert (line.effect.low, line.effect.high) == pytest.approx((value - half, value + half))


def test_one_line_that_does_not_hold_decides_and_one_that_is_open_leaves_open():
    page = seen("> 0", measures=("KS", "PR"))
    moved = [{**each, "value": each["value"] * (-1 if each["measure"] == "PR" else 1)} for each in page.numbers]
    turned = over_seeds.OverSeeds("page", moved, page.claims)
    assert turned.verdict("it") == "**does not** (of 2 lines: 1 holds at this scale, 1 does not)"
    rng = np.random.default_rng(0)
    loose = [
        {**each, "value": each["value"] + (each["measure"] == "PR") * rng.standard_normal()} for each in page.numbers
    ]
    open_ = over_seeds.OverSeeds("page", loose, page.claims)
    assert open_.verdict("it") == "**not decided** (of 2 lines: 1 holds at this scale, 1 not decided)"
    assert "would decide" in open_.table("it").rows[1][-1]


def test_seeds_that_would_decide():
    """An interval twice as wide as the effect is away from its bound needs four times the seeds."""
    effect = over_seeds.Effect(0.1, 0.1 - 0.2, 0.1 + 0.2, 0.3, (1, 2, 3))
    assert over_seeds.Line({}, effect, 0.0, True).seeds_needed == "about 12 seeds"
    assert over_seeds.Line({}, effect, 0.1, True).seeds_needed == "more than 100 seeds"


def test_what_takes_the_place_of_seeds_is_named():
    page = seen("> 0.1")
    assert page.table("it").rows[0][-1].endswith("seeds would decide)")
    page.claims["it"]["over"] = "speakers"
    assert page.table("it").rows[0][-1].endswith("speakers would decide)")


def test_a_table_has_the_arms_that_have_numbers_of_it():
    page = seen("> 0")
    other = {**page.numbers[0], "arm": "elsewhere", "corpus": "b"}
    found = over_seeds.OverSeeds("page", [*page.numbers, other], {})
    fields = {"corpus": ["a"], "measure": ["KS"], "of": ["head"]}
    assert [row[0] for row in found.means(fields).rows] == [f"`{arm}`" for arm in CELLS]
    assert [row[0] for row in found.means({**fields, "corpus": ["a", "b"]}).rows][-1] == "`elsewhere`"


def test_a_difference_of_measures_is_paired():
    found = [
        *numbers(1e-4, "cca_word"),
        *({**each, "value": 0.5 * each["value"]} for each in numbers(1e-4, "cca_phone")),
    ]
    line = {"effect": "loss", "corpus": "a", "measure": "cca_word - cca_phone", "of": "head"}
    assert over_seeds.OverSeeds("page", found, {}).effect(line).value == pytest.approx(LOSS / 2, abs=1e-3)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"effect": "loss", "measure": "SID"}, "no numbers of SID"),
        ({"effect": "aux - nobody", "measure": "KS"}, "0 seeds in common, 3 are needed"),
    ],
)
def test_what_is_not_there_is_said(line, reason):
    with pytest.raises(UserError, match=reason):
        seen("> 0").effect(line)
    with pytest.raises(UserError, match="no claim that; there are it"):
        seen("> 0").lines("that")


@pytest.mark.parametrize("bound", ["> 0", "< 0"])
def test_an_arm_by_itself_has_a_t_interval_and_two_seeds_decide_nothing(bound):
    rng = np.random.default_rng(3)
    found = [
        {"arm": "low", "measure": "r", "seed": seed, "value": 0.5 + 0.1 * rng.standard_normal()} for seed in range(5)
    ]
    line = {"effect": "low", "measure": "r"}
    claims = {"it": {"holds": bound, "lines": [line]}}
    page = over_seeds.OverSeeds("page", found, claims)
    low, high = scipy.stats.t.interval(
        0.95, 4, np.mean([n["value"] for n in found]), scipy.stats.sem([n["value"] for n in found])
    )
    assert (page.effect(line).low, page.effect(line).high) == pytest.approx((low, high))
    assert page.verdict("it") == ("**holds at this scale**" if bound == "> 0" else "**does not**")
    few = over_seeds.OverSeeds("page", found[:2], claims)
    assert few.verdict("it") == "**not decided**"
    value, interval, verdict = few.table("it").rows[0][-3:]
    assert value == pytest.approx((found[0]["value"] + found[1]["value"]) / 2)
    assert (interval.text, verdict) == ("-inf to +inf", "not decided (3 seeds or more would decide)")


def test_of_arms_and_combinations_the_more_have_a_line_each():
    values = {("a", "r"): 0.1, ("b", "r"): 0.2, ("c", "r"): 0.3, ("a", "s"): 0.4, ("b", "s"): 0.5}
    found = [{"arm": arm, "measure": m, "seed": 1, "value": value} for (arm, m), value in values.items()]
    many = over_seeds.OverSeeds("page", found, {}).means({"measure": ["r", "s"]})
    assert table(many, markdown=True).splitlines()[-1] == "| `c` | 0.300 |  |"
    few = over_seeds.OverSeeds("page", [each for each in found if each["arm"] == "a"], {})
    shown = table(few.means({"measure": ["r", "s"]}), markdown=True).splitlines()
    assert (shown[0], shown[-1]) == ("| measure | `a` |", "| s | 0.400 |")


def test_means_stand_beside_their_standard_deviation():
    values = [0.1, 0.4, 0.7]
    found = [{"arm": "a", "measure": "r", "seed": i, "value": value} for i, value in enumerate(values)]
    means = over_seeds.OverSeeds("page", found, {}).means({"measure": ["r"]})
    assert table(means, markdown=True).splitlines()[-1] == f"| {np.mean(values):.3f} ±{np.std(values, ddof=1):.3f} |"
