"""The term-weighted value against its definition, threshold by threshold."""

import numpy as np
import pytest

from s3prl_plugin.superb.term_weighted_value import false_alarm_weight, maximum_twv


def by_definition(scores, holding, documents, default, beta):
    """1 - mean of misses and weighted false alarms, at every score and above all of them."""
    thresholds = {value for given in scores.values() for value in given.values()} | {default, np.inf}
    best = -np.inf
    for threshold in thresholds:
        costs = []
        for query, held in holding.items():
            if not held:
                continue
            found = {d for d in documents if scores.get(query, {}).get(d, default) >= threshold}
            others = set(documents) - held
            costs.append(len(held - found) / len(held) + beta * len(found & others) / len(others))
        best = max(best, 1 - np.mean(costs))
    return best


@pytest.mark.parametrize("seed", range(10))
def test_it_is_the_maximum_by_definition(seed):
    draw = np.random.default_rng(seed)
    documents = [f"d{i}" for i in range(12)]
    holding = {f"q{i}": set(draw.choice(documents, draw.integers(0, 4), replace=False)) for i in range(6)}
    holding["q0"] = {"d0"}
    scores = {
        query: {
            d: float(draw.integers(0, 5) + 3 * (d in held))  # equal scores are frequent
            for d in documents
            if draw.random() < 0.8
        }
        for query, held in holding.items()
        if query != "q1"  # a query that was not searched at all
    }
    for beta in (0.0, 0.5, 12.49):
        found = maximum_twv(scores, holding, documents, -10.0, beta)
        assert found == pytest.approx(by_definition(scores, holding, documents, -10.0, beta), abs=1e-12)


def test_the_weight_is_that_of_quesst_2014():
    # its scoring program is given the effective prior 100 p / (100 p + 1 - p), and weighs by the odds against it
    prior = 100 * 0.0008 / (100 * 0.0008 + 1 * (1 - 0.0008))
    assert false_alarm_weight() == pytest.approx((1 - prior) / prior)


def test_perfect_and_useless_scores():
    holding = {"q": {"a"}, "r": {"b"}}
    assert maximum_twv({"q": {"a": 2.0}, "r": {"b": 2.0}}, holding, "abc", -10) == 1.0
    assert maximum_twv({"q": {"b": 2.0, "c": 1.0}, "r": {"a": 1.0}}, holding, "abc", -10) == 0.0


def test_what_is_not_searched_counts_as_missed():
    # queries in other languages score -10 everywhere: half of the queries, half of the value
    holding = {"q": {"a"}, "r": {"b"}}
    assert maximum_twv({"q": {"a": 2.0}}, holding, "abc", -10) == pytest.approx(0.5)


def test_queries_that_are_nowhere_do_not_count():
    scores = {"q": {"a": 2.0}, "r": {"a": 9.0}}
    assert maximum_twv(scores, {"q": {"a"}, "r": set()}, "abc", -10) == 1.0
    with pytest.raises(ValueError, match="no query"):
        maximum_twv(scores, {"q": set()}, "abc", -10)
