"""Paired differences between taps and between models: what two rows of the same folds differ by, and how surely.

Rows keep what every fold says of the score (`Row.per_fold`), or the score without each fold (`Row.replicates`), so that
what the folds have in common cancels in a difference.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import intervals, state_taps
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.state_taps import OUTPUT, is_output, states
from s3prl_plugin.results import Row

SIGNIFICANT = 0.05  # p values below it tell two numbers apart
OWN_REFERENCE = "_intra"  # the end of a measure's name whose other view is a tap of the same model
CONDITIONS = ("subset", "control", "segments", "frame_stride")
FOLDS = ("folds_id", "seed")
SAME = ("measure", "score", "protocol", "corpus", *CONDITIONS, *FOLDS, "clusters")
MEASURE = ("corpus", "measure", "score", *CONDITIONS, "tap2", "upstream2")


@dataclass(frozen=True, slots=True)
class Difference:
    """The score of one row less that of another.

    Attributes:
        a: the row that is compared.
        b: what it is compared with: another tap or model.
        value: a less b.
        ci_low, ci_high: 95 % interval of it.
        p: two-sided, of no difference.
        p_holm: the same, adjusted for the number of comparisons that were made.
    """

    a: Row
    b: Row
    value: float
    ci_low: float
    ci_high: float
    p: float
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Comparisons of one measure, which are corrected for their number together.

    Attributes:
        rows: that were to be compared.
        differences: of those that could be.
        not_compared: (what, why) of those that could not.
        comparisons: how many p values are adjusted for; within a run more than are shown.
        best: tap -> how many times it is the best one when a fold (or speaker) is left out; None between runs.
    """

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    not_compared: tuple[tuple[str, str], ...]
    comparisons: int = 0
    best: dict[str, int] | None = None


def difference(a: Row, b: Row) -> Difference:
    """The paired difference of two rows.

    Args:
        a, b: of the same measure, score, protocol, corpus, folds, seed: two taps, or two models.

    Raises:
        UserError: they are not of the same folds, or one of them keeps no replicates; it says what differs.
    """
    for name in SAME:
        if getattr(a, name) != getattr(b, name):
            raise UserError(
                f"{_what(a)} and {_what(b)} cannot be compared pair by pair: {name} is {getattr(a, name)!r} and "
                f"{getattr(b, name)!r}"
            )
    if reference(a) != reference(b):
        raise UserError(
            f"{_what(a)} and {_what(b)} have different references, {_reference(a)} and {_reference(b)}: a score says "
            "how much of its reference a layer has, so only those of one reference compare"
        )
    one, other = estimate(a), estimate(b)
    if len(one.folds) != len(other.folds):
        raise UserError(
            f"{_what(a)} and {_what(b)} cannot be compared pair by pair: {one.degrees + 1} and {other.degrees + 1} "
            "folds or speakers have rows"
        )
    found = one - other
    return Difference(a, b, found.value, *found.interval(), found.p_value)


def reference(row: Row) -> tuple[Any, ...]:
    """What the other view of a row is: the tap, and whose it is."""
    return row.tap2, row.upstream2, row.model if row.measure.endswith(OWN_REFERENCE) else None


def within(rows: Iterable[Row]) -> list[Table]:
    """Every state tap less the best of its run, a table per measure.

    The best of several taps owes its place to luck in part. Its lead is a little too large where it was found, and a
    test against it would reject too often (equal taps, 8 folds: some tap of 6 in 10 % of tables, of 15 in 15 %, after
    Holm's correction for the comparisons that are shown). To find it all taps were compared with each other, so the
    correction is for all of these pairs; then it is 4 and 3 %. `best` says how often each tap is the best one without
    one of the folds: where the folds disagree, there is no best tap. (To choose the tap without each fold and to score
    it on that fold has no bias, but the folds' choices depend on each other: intervals of the result covered 78 to 85 %
    where several taps were equal.)

    Args:
        rows: of one run; headline rows of the default protocol are compared.

    """
    return [_less_the_best(group) for group in _by_measure(rows, (*MEASURE, *FOLDS))]


def between(rows_a: Iterable[Row], rows_b: Iterable[Row]) -> list[Table]:
    """The state taps of one run less those of another, a table per measure.

    Taps of the same name are compared where both runs have the same taps; else those of the same frame rate that lie at
    the same relative depth, as near as their numbers allow.

    Args:
        rows_a, rows_b: of one upstream each.

    Raises:
        UserError: the runs have no measure in common.
    """
    groups_a, groups_b = (
        {tuple(getattr(group[0], name) for name in MEASURE): group for group in _by_measure(rows, MEASURE)}
        for rows in (rows_a, rows_b)
    )
    common = [key for key in groups_a if key in groups_b]
    if not common:
        have = [", ".join(sorted({f"{g[0].measure} on {g[0].corpus}" for g in groups.values()})) or "nothing"
                for groups in (groups_a, groups_b)]  # fmt: skip
        raise UserError(f"the runs have no measure of the same corpus in common: {have[0]} there, {have[1]} here")
    tables = []
    for key in common:
        found: list[Difference] = []
        left: list[tuple[str, str]] = []
        pairs, alone = matching(states(groups_a[key]), states(groups_b[key]))
        for a, b in pairs:
            name = str(a.tap) if a.tap == b.tap else f"{a.tap} - {b.tap}"
            reason = lacks(a) or lacks(b)
            if reason is None:
                try:
                    found.append(difference(a, b))
                except UserError as error:
                    reason = str(error)
            if reason is not None:
                left.append((name, reason))
        left += [(str(row.tap), "the other run has no such tap") for row in alone]
        outputs = dict.fromkeys(str(row.tap) for row in (*groups_a[key], *groups_b[key]) if is_output(row))
        left += [(tap, OUTPUT) for tap in outputs]
        tables.append(Table((*groups_a[key], *groups_b[key]), tuple(_adjusted(found)), tuple(left), len(found)))
    return tables


def matching(
    rows_a: Sequence[Row], rows_b: Sequence[Row], same_network: bool = False
) -> tuple[list[tuple[Row, Row]], list[Row]]:
    """Which taps of two runs belong together; see `between`.

    Args:
        rows_a, rows_b: of one measure, a row per tap.
        same_network: whether the two have one architecture, so that taps of one name belong together even where one of
            them is cut.

    Returns:
        Pairs (a, b), and the rows that have no partner.
    """
    a, b = ({row.tap: row for row in sorted(rows, key=_place)} for rows in (rows_a, rows_b))
    if same_network or list(a) == list(b):
        alone = [row for taps, others in ((a, b), (b, a)) for tap, row in taps.items() if tap not in others]
        return [(a[tap], b[tap]) for tap in a if tap in b], alone
    few, many = sorted((a, b), key=len)
    within_reach = 1 / max(2 * (len(many) - 1), 1)
    depth = {id(row): i / max(len(taps) - 1, 1) for taps in (a, b) for i, row in enumerate(taps.values())}
    pairs, free = [], list(many.values())
    for row in few.values():
        near = [o for o in free if o.stride == row.stride and abs(depth[id(o)] - depth[id(row)]) <= within_reach + 1e-9]
        if near:
            partner = min(near, key=lambda o: abs(depth[id(o)] - depth[id(row)]))
            free.remove(partner)
            pairs.append((row, partner) if few is a else (partner, row))
    paired = {id(row) for pair in pairs for row in pair}
    return pairs, [row for row in (*a.values(), *b.values()) if id(row) not in paired]


def estimate(row: Row) -> Estimate:
    """The number of a row, with what its folds say.

    Raises:
        UserError: it has no number, or neither replicates nor what its folds say.
    """
    reason = lacks(row)
    if reason is not None or row.value is None:
        raise UserError(f"{_what(row)}: {reason}")
    if row.per_fold is not None:
        return intervals.nadeau_bengio(row.per_fold)
    return intervals.jackknife(row.value, row.replicates or ())


def lacks(row: Row) -> str | None:
    """Why a row cannot be compared, if so."""
    if row.value is None:
        return f"refused: {row.refused}"
    if row.trivial:
        return "the two views are the same"
    if len(row.per_fold or row.replicates or ()) < 2 or row.folds_id is None:
        return "what its folds say was not kept; a run with intervals, of enough folds, keeps it"
    return None


def same_folds(rows: Sequence[Row]) -> bool:
    """Whether rows can be compared pair by pair: of the same folds and seed, with what each fold says."""
    if any(lacks(row) for row in rows):
        return False
    return len({(row.folds_id, row.seed, len(estimate(row).folds)) for row in rows}) == 1


def _comparable(group: Sequence[Row]) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows of a measure that can be compared, and why the others cannot."""
    told = [(row, lacks(row)) for row in group]
    return [row for row, reason in told if reason is None], [(str(r.tap), why) for r, why in told if why is not None]


def _less_the_best(group: Sequence[Row]) -> Table:
    """Every state tap of one measure less the best of them."""
    shown, left = _comparable(states(group))
    left += [(str(row.tap), OUTPUT) for row in group if is_output(row)]
    if len(shown) < 2:
        alone = [(str(row.tap), "no other tap has a number to compare with") for row in shown]
        return Table(tuple(group), (), (*left, *alone))
    sign = 1 if shown[0].higher_is_better else -1
    best = state_taps.best(shown)
    assert best is not None  # what can be compared has a number
    pairs = []
    for a, b in itertools.combinations(shown, 2):
        try:
            pairs.append(difference(a, b))
        except UserError as error:
            left += [(str(row.tap), str(error)) for row in (a, b) if best in (a, b) and row is not best]
    pairs = _adjusted(pairs)
    found = [_turned(each, best) for each in pairs if best in (each.a, each.b)]
    without = sign * np.array([estimate(row).without_each for row in shown])
    counts = Counter(str(shown[i].tap) for i in np.argmax(without, axis=0))
    return Table(tuple(group), tuple(found), tuple(left), len(pairs), dict(counts.most_common()))


def _turned(each: Difference, b: Row) -> Difference:
    """The same difference, with the given row as the one that is taken off."""
    if each.b is b:
        return each
    return replace(each, a=each.b, b=each.a, value=-each.value, ci_low=-each.ci_high, ci_high=-each.ci_low)


def _adjusted(found: Sequence[Difference]) -> list[Difference]:
    """With the p values that Holm's method gives to all of them."""
    p_values = intervals.holm([each.p for each in found])
    return [replace(each, p_holm=float(p)) for each, p in zip(found, p_values, strict=True)]


def _by_measure(rows: Iterable[Row], names: Sequence[str]) -> list[list[Row]]:
    """The headline rows of the default protocol, a list for what `names` have in common, taps in order."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row.headline and row.tap is not None and row.protocol == "default":
            groups.setdefault(tuple(getattr(row, name) for name in names), []).append(row)
    return [sorted(group, key=_place) for group in groups.values()]


def _place(row: Row) -> int:
    return row.tap_index if row.tap_index is not None else 0


def _reference(row: Row) -> str:
    return f"{row.tap2} of {row.upstream2 or row.upstream}"


def _what(row: Row) -> str:
    return f"{row.measure} ({row.score}) of {row.upstream} at {row.tap}"
