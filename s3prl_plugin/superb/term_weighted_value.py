"""Term-weighted value: how well queries are found, with misses and false alarms weighed against each other.

Mathematics on scores; knows neither files nor s3prl.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import numpy as np

P_TARGET, C_MISS, C_FALSE_ALARM = 0.0008, 100.0, 1.0  # of QUESST 2014


def false_alarm_weight(
    p_target: float = P_TARGET, c_miss: float = C_MISS, c_false_alarm: float = C_FALSE_ALARM
) -> float:
    """How much a false alarm weighs against a miss (beta).

    Args:
        p_target: how probable it is beforehand that a document holds a query.
        c_miss, c_false_alarm: what a miss and a false alarm cost.
    """
    return c_false_alarm / c_miss * (1 / p_target - 1)


def maximum_twv(
    scores: Mapping[str, Mapping[str, float]],
    holding: Mapping[str, Set[str]],
    documents: Iterable[str],
    default: float,
    beta: float | None = None,
) -> float:
    """The term-weighted value at the one threshold, common to all queries, that is best for it.

    At a threshold t, TWV(t) = 1 - mean over queries of P_miss(t) + beta P_false_alarm(t), where P_miss is the fraction
    of the documents holding the query that score less than t, and P_false_alarm that of the other documents that score
    t or more. Above all scores it is 0, so that the maximum is never negative.

    Args:
        scores: query -> document -> score; larger is surer.
        holding: query -> the documents that hold it; a query that none holds is not counted.
        documents: all of them.
        default: the score of a query and document that `scores` leaves out.
        beta: as `false_alarm_weight` gives it for QUESST 2014.

    Returns:
        The maximum, from 0 to 1.

    Raises:
        ValueError: no query is held by any document.

    Reference:
        Fiscus et al., "Results of the 2006 spoken term detection evaluation", 2007; Anguera et al., "Query by example
        search on speech at MediaEval 2014", 2014 (trials are documents, not seconds).
    """
    beta = false_alarm_weight() if beta is None else beta
    names = sorted(set(documents))
    queries = sorted(query for query in holding if holding[query] & set(names))
    if not queries:
        raise ValueError("no query is held by any document")
    values, weights = [], []
    for query in queries:
        held = np.array([name in holding[query] for name in names])
        given = scores.get(query, {})
        values.append([given.get(name, default) for name in names])
        # what TWV gains when this document comes above the threshold
        others = max((~held).sum(), 1)
        weights.append(np.where(held, 1 / held.sum(), -beta / others) / len(queries))
    flat, gains = np.concatenate(values), np.concatenate(weights)
    order = np.argsort(-flat, kind="stable")
    reached = np.cumsum(gains[order])
    last_of_equals = np.append(np.diff(flat[order]) != 0, True)
    return float(max(0.0, reached[last_of_equals].max()))
