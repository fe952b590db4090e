"""Which runs stand for what, by their facts; and what two differ in, in words."""

from pathlib import Path

import planted_results
import pytest

from s3prl_plugin.questions.comparison import fact_differences, roles
from s3prl_plugin.questions.comparison.runs import Run


def run(name, **changes):
    return Run(name, Path(name), (), planted_results.facts(**changes))


BASE = {"sha": "a"}
SINGLE = {"sha": "b", "heads": 1}
FLAT = {"sha": "c", "ratios": planted_results.ONE_RATE}


def names(pairs):
    return [(pair.a.name, pair.b.name, len(pair.besides)) for pair in pairs]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_pairs_are_found_whatever_their_names_and_order(order):
    runs = [run("x", **BASE), run("y", **SINGLE), run("z", **FLAT)]
    runs = [runs[i] for i in order]
    assert names(roles.loss_pairs(runs)) == [("x", "y", 0)]
    assert names(roles.rate_pairs(runs)) == [("x", "z", 0)]


def test_names_decide_nothing():
    runs = [run("b5_a", **BASE), run("mono_base", **SINGLE), run("b4_a", **FLAT)]
    assert names(roles.loss_pairs(runs)) == [("b5_a", "mono_base", 0)]
    assert names(roles.rate_pairs(runs)) == [("b5_a", "b4_a", 0)]


def test_the_words_say_what_is_isolated():
    runs = [run("x", **BASE), run("y", **SINGLE), run("z", **FLAT)]
    (loss,), (rate,) = roles.loss_pairs(runs), roles.rate_pairs(runs)
    assert rate.differences.text() == (
        "differs in: frame rate of the middle block 20 -> 40 ms; weight of the loss at the middle block 1 -> 0.5"
    )
    assert loss.differences.text() == (
        "differs in: losses decoder 0 (20 ms, weight 1) -> decoder 0 (20 ms, weight 1) and middle block (40 ms, "
        "weight 0.5)"
    )
    assert rate.grey is None
    assert loss.grey is None


def test_a_single_target_checkpoint_with_two_heads_is_no_loss_pair():
    runs = [run("x", single_target=False, **BASE), run("y", sha="b", heads=2, single_target=True)]
    assert roles.loss_pairs(runs) == []
    (near,) = roles.not_quite_loss_pairs(runs)
    assert near.differences.text() == "differs in: one label file for all rates yes -> no"


def test_what_differs_besides_is_named_and_makes_a_pair_grey():
    plain = {**SINGLE, "plain_adapters": True}
    (pair,) = roles.loss_pairs([run("x", **BASE), run("y", **plain)])
    assert pair.grey == "does not isolate it: differs also in simple sampling yes -> no"
    both = [run("x", **BASE), run("y", **plain), run("z", **SINGLE)]
    assert names(roles.loss_pairs(both)) == [("x", "z", 0)]


def test_other_units_are_a_difference_and_unknown_ones_are_said_to_be_unknown():
    (pair,) = roles.rate_pairs([run("x", **BASE), run("y", unit_iteration=1, **FLAT)])
    assert pair.besides == ("HuBERT iteration of the target units 1 -> 3",)
    (pair,) = roles.rate_pairs([run("x", unit_iteration=None, **BASE), run("y", **FLAT)])
    assert pair.grey is None
    assert pair.differences.text().endswith("Not known: HuBERT iteration of the target units")


def test_a_rate_pair_without_auxiliary_loss_on_one_side_does_not_isolate_the_rate():
    (pair,) = roles.rate_pairs([run("x", **BASE), run("y", **{**FLAT, "heads": 1})])
    assert pair.grey.startswith("does not isolate it: differs also in losses")


def test_another_number_of_resolutions_is_another_comparison():
    three = run("x", sha="d", ratios=((1, 2), (1, 2)), layers=(1, 1, 1, 1, 1), heads=3)
    assert roles.rate_pairs([three, run("y", **FLAT)]) == []
    assert roles.loss_pairs([three, run("y", **SINGLE)]) == []
    text = fact_differences.between(three.facts, run("y", **BASE).facts).text()
    assert "resolutions 20-40 -> 20-40-80 ms" in text
    assert "layers per block 2-2-2 -> 1-1-1-1-1" in text


def test_the_context_is_whatever_has_one_rate_and_another_architecture():
    hubert = run("h", sha="e", ratios=(), layers=(6,), heads=1)
    (pair,) = roles.context_pairs([run("x", **BASE), run("y", **FLAT), hubert], [run("y", **FLAT)])
    assert (pair.a.name, pair.b.name) == ("y", "h")
    assert pair.differences.text().startswith("differs in: architecture: HuBERT -> MR-HuBERT")


def test_options_are_a_difference_of_one_checkpoint():
    facts = [
        run("x", options=options, **BASE).facts for options in ({}, {"pool_to": "mean:40"}, {"random_weights": True})
    ]
    text = fact_differences.between(facts[1], facts[0]).text()
    assert text == "differs in: option pool_to none -> mean:40"
    text = fact_differences.between(facts[0], facts[2]).text()
    assert text == "differs in: option random_weights yes -> none. Not known: how they were trained"


def test_runs_with_options_are_no_checkpoints_as_they_are():
    assert run("x", **BASE).is_plain
    assert run("x", options={"exact_batches": False}, **BASE).is_plain
    for options in ({"pool_to": "decimate:40"}, {"random_weights": True}, {"stop_at": "mid.pre"}, {"reset_top": 1}):
        assert not run("x", options=options, **BASE).is_plain


def test_of_several_training_runs_those_of_one_seed_belong_together():
    runs = [run(f"{name}{seed}", seed=seed, **{**facts, "sha": f"{seed}{name}"})
            for name, facts in (("x", BASE), ("z", FLAT)) for seed in (1, 2)]  # fmt: skip
    assert names(roles.rate_pairs(runs)) == [("x1", "z1", 0), ("x2", "z2", 0)]
    assert names(roles.rate_pairs([runs[0], runs[3]])) == [("x1", "z2", 0)]


def test_of_checkpoints_on_the_way_the_latest_are_shown():
    runs = [run(f"{name}{step}", step=1000 * step, **{**facts, "sha": f"{step}{name}"})
            for name, facts in (("x", BASE), ("z", FLAT)) for step in range(1, 7)]  # fmt: skip
    shown, (note,) = roles.shown(roles.rate_pairs(runs))
    assert [(pair.a.name, pair.b.name) for pair in shown] == [(f"x{step}", f"z{step}") for step in (6, 5, 4)]
    assert note == "Not shown: 3 more pairs that isolate the same (x3 - z3, x2 - z2, x1 - z1)."


def test_losses_that_were_weighed_otherwise_are_told_apart():
    """As this plugin's own pre-training does: the mean cross-entropy of every resolution times a number."""
    weights = [{"block": "dec0", "resolution_ms": 20, "weight": 1}, {"block": "mid", "resolution_ms": 40, "weight": 1}]
    same = [{**each, "resolution_ms": 20} for each in weights]
    runs = [run("x", loss_weights=weights, **BASE), run("y", loss_weights=same, **FLAT)]
    (pair,) = roles.rate_pairs(runs)
    assert pair.differences.text() == "differs in: frame rate of the middle block 20 -> 40 ms"
    assert pair.grey is None


def test_two_checkpoints_with_one_loss_each_are_no_loss_pair():
    assert roles.loss_pairs([run("x", **SINGLE), run("y", **{**SINGLE, "sha": "d", "single_target": False})]) == []
