"""What one measure says of the taps of a run: the best one, and those that cannot be told from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from s3prl_plugin.analysis import about
from s3prl_plugin.inference import differences, state_taps
from s3prl_plugin.inference.differences import SIGNIFICANT, Difference, estimate
from s3prl_plugin.inference.held_out import HeldOut, held_out
from s3prl_plugin.results import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The taps by one measure.

    Attributes:
        rows: of the state taps that have a number, in the order of the network.
        best: with the highest score.
        not_told_apart: taps whose paired difference to the best includes 0 (Holm, over all pairs of taps), the best
            among them.
        close: those of `not_told_apart` that are at most one standard error of the paired difference from the best.
        against_best: tap -> its paired difference to the best.
        score: of the tap chosen so, on folds that did not choose it; None where that is not available.
        times_best: tap -> how often it is the best without one of the folds (or speakers).
        left_out: (tap, why) of the state taps that have no number, or none that can be compared.
        tested: whether differences could be tested; if not, `not_told_apart` and `close` hold the best tap only.
    """

    rows: tuple[Row, ...]
    best: Row
    not_told_apart: tuple[Row, ...]
    close: tuple[Row, ...]
    against_best: dict[str, Difference]
    score: HeldOut | None
    times_best: dict[str, int]
    left_out: tuple[tuple[str, str], ...]
    tested: bool

    @property
    def measure(self) -> str:
        """Its name."""
        return self.best.measure


@dataclass(frozen=True, slots=True)
class Absent:
    """A measure that says nothing, and why."""

    measure: str
    reason: str


def rows_of(rows: Iterable[Row], measure: str) -> list[Row]:
    """The headline rows of a measure at its plain conditions under the default protocol, in the order of the taps.

    Where there are several runs of it (corpora, folds, seeds), those of the last one that was written.
    """
    found = [
        row
        for row in rows
        if row.measure == measure
        and row.headline
        and row.protocol == "default"
        and row.tap is not None
        and row.tap2 is None
        and row.upstream2 is None
        and about.is_plain(row)
        and row.segments is None
        and row.frame_stride is None
    ]
    last = found and [getattr(found[-1], name) for name in differences.SAME]
    same = [row for row in found if [getattr(row, name) for name in differences.SAME] == last]
    return sorted(same, key=lambda row: row.tap_index if row.tap_index is not None else 0)


def choose(rows: Iterable[Row], measure: str) -> Choice | Absent:
    """What a measure says.

    Args:
        rows: of one run of one upstream.
        measure: such as cca_phone.
    """
    found = state_taps.states(rows_of(rows, measure))
    if not found:
        return Absent(measure, "not in the results")
    refused = tuple((str(row.tap), f"refused: {row.refused}") for row in found if row.refused)
    valued = state_taps.valued(found)
    best = state_taps.best(found)
    if best is None:
        return Absent(measure, refused[0][1] if refused else "every tap is compared with itself")
    table = differences.within(valued)[0]
    compared = list(table.differences)
    if not compared:
        return Choice(
            rows=tuple(valued),
            best=best,
            not_told_apart=(best,),
            close=(best,),
            against_best={},
            score=None,
            times_best={},
            left_out=(*refused, *((tap, why) for tap, why in table.not_compared if tap != best.tap)),
            tested=False,
        )
    best = compared[0].b
    equal = [each.a for each in compared if each.p_holm is not None and each.p_holm >= SIGNIFICANT]
    ordered = [row for row in valued if row is best or row in equal]
    with_replicates = [row for row in valued if row is best or any(row is each.a for each in compared)]
    return Choice(
        rows=tuple(valued),
        best=best,
        not_told_apart=tuple(ordered),
        close=tuple(row for row in ordered if _is_close(row, best)),
        against_best={str(each.a.tap): each for each in compared},
        score=held_out(with_replicates),
        times_best=table.best or {},
        left_out=(*refused, *table.not_compared),
        tested=True,
    )


def lowest(rows: Sequence[Row]) -> Row:
    """The tap that is computed first, so that what lies above it can be left out."""
    return min(rows, key=lambda row: row.tap_index if row.tap_index is not None else 0)


def _is_close(row: Row, best: Row) -> bool:
    """Whether a tap is within one standard error of the best."""
    if row is best:
        return True
    apart = estimate(best) - estimate(row)
    return abs(apart.value) <= apart.standard_error
