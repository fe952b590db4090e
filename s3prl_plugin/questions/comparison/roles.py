"""Which runs stand for what: found from what the checkpoints contain, never from names."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from s3prl_plugin.questions.comparison.fact_differences import FactDifferences, between
from s3prl_plugin.questions.comparison.runs import Run
from s3prl_plugin.states.upstream_facts import Facts
from s3prl_plugin.strides import Stride

MULTI_RESOLUTION = "MR-HuBERT"
MOST_PAIRS = 3  # that a section shows
# What may differ besides for a pair to be shown at all; more is another comparison.
MOST_BESIDES = 2


@dataclass(frozen=True)
class Pair:
    """Two runs whose difference is wanted.

    Attributes:
        a, b: `a` less `b`.
        differences: of their facts.
        besides: those that the pair's title does not want, in words; with any, the pair does not isolate it.
    """

    a: Run
    b: Run
    differences: FactDifferences
    besides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For reading."""
        return f"{self.a.name} - {self.b.name}"

    @property
    def grey(self) -> str | None:
        """Why the pair's rows say little, if so."""
        return f"does not isolate it: differs also in {'; '.join(self.besides)}" if self.besides else None


def loss_pairs(runs: Iterable[Run]) -> list[Pair]:
    """With the auxiliary loss at the lower rates less without, in one architecture."""
    return _pairs(runs, _differ_in_loss, frozenset({"loss"}))


def rate_pairs(runs: Iterable[Run]) -> list[Pair]:
    """With a lower frame rate in the middle less with one rate throughout, the losses being at the same blocks.

    The weight of the auxiliary loss follows from the rate in fairseq's loss; it is named, and no fault of the pair.
    """
    return _pairs(runs, _differ_in_rate, frozenset({"rate", "weight"}))


def shown(pairs: Sequence[Pair]) -> tuple[list[Pair], tuple[str, ...]]:
    """The pairs that a section shows, and a note on the others."""
    left = [pair.name for pair in pairs[MOST_PAIRS:]]
    if not left:
        return list(pairs), ()
    names = ", ".join(left[:MOST_PAIRS]) + (", ..." if len(left) > MOST_PAIRS else "")
    return list(pairs[:MOST_PAIRS]), (f"Not shown: {len(left)} more pairs that isolate the same ({names}).",)


def not_quite_loss_pairs(runs: Iterable[Run]) -> list[Pair]:
    """Checkpoints of one multi-resolution architecture whose losses are the same, so that none isolates the loss."""
    found = []
    for a, b in itertools.combinations([run for run in runs if _trained(run)], 2):
        differences = _differences(a, b)
        same = not differences.groups & {"loss", "kind", "rate", "layers", "blocks", "dim", "plain_adapters"}
        if same and _facts(a).architecture.get("kind") == MULTI_RESOLUTION and len(_strides(a)) > 1:
            found.append(Pair(a, b, differences))
    return found


def context_pairs(runs: Sequence[Run], references: Iterable[Run]) -> list[Pair]:
    """Models at one frame rate less ones of another architecture, which differ in everything at once.

    Args:
        runs: to find the others among.
        references: the models at one frame rate.
    """
    others = [run for run in runs if _facts(run).params and len(_strides(run)) == 1 and not _is_multi(run)]
    return [Pair(a, b, _differences(a, b), ("everything",)) for a in references for b in others]


def is_multi_resolution(run: Run) -> bool:
    """Whether a run is of an MR-HuBERT, at whatever rates."""
    return run.facts is not None and _is_multi(run)


def _pairs(runs: Iterable[Run], wanted: Callable[[Run, Run], bool], groups: frozenset[str]) -> list[Pair]:
    """The pairs that isolate what is wanted; else those that come nearest to it; the longest trained first."""
    found = []
    for a, b in itertools.permutations([run for run in runs if is_multi_resolution(run)], 2):
        if wanted(a, b):
            differences = _differences(a, b)
            besides = tuple(each.text for each in differences.found if _group(each.group, a, b) not in groups)
            if len(besides) <= MOST_BESIDES:
                found.append(Pair(a, b, differences, besides))
    nearest = min(map(_distance, found), default=None)
    return sorted((pair for pair in found if _distance(pair) == nearest), key=_step, reverse=True)


def _distance(pair: Pair) -> tuple[int, bool]:
    """How far a pair is from isolating what is wanted; of several training runs, those of one seed belong together."""
    seeds = [(_facts(run).training or {}).get("seed") for run in (pair.a, pair.b)]
    return len(pair.besides), seeds[0] != seeds[1]


def _step(pair: Pair) -> int:
    """Of checkpoints on the way, the latest come first."""
    return _facts(pair.a).train_step or 0


def _group(group: str, a: Run, b: Run) -> str:
    """Losses at the same blocks differ in no more than their weights."""
    return "weight" if group == "loss" and _auxiliary(a) == _auxiliary(b) else group


def _differ_in_loss(a: Run, b: Run) -> bool:
    """`a` has a loss at its lower rates, `b` has not."""
    same_rates = _facts(a).architecture.get("ratios") == _facts(b).architecture.get("ratios")
    return same_rates and _trained(a) and _trained(b) and bool(_auxiliary(a)) and not _auxiliary(b)


def _differ_in_rate(a: Run, b: Run) -> bool:
    """`a` has lower rates in the blocks in which `b` has none."""
    same_blocks = _facts(a).architecture.get("blocks") == _facts(b).architecture.get("blocks")
    return same_blocks and len(_strides(a)) > 1 and len(_strides(b)) == 1


def _auxiliary(run: Run) -> bool | None:
    training = _facts(run).training
    return training.get("auxiliary_loss") if training else None


def _trained(run: Run) -> bool:
    """Whether anything is known of its training."""
    return is_multi_resolution(run) and _facts(run).training is not None


def _is_multi(run: Run) -> bool:
    """Encoder, middle and decoder, at whatever rates."""
    architecture = _facts(run).architecture
    return architecture.get("kind") == MULTI_RESOLUTION and bool(architecture.get("ratios"))


def _strides(run: Run) -> set[Stride]:
    return {tap.stride for tap in _facts(run).taps}


def _differences(a: Run, b: Run) -> FactDifferences:
    return between(_facts(a), _facts(b))


def _facts(run: Run) -> Facts:
    assert run.facts is not None  # only runs with facts are plain
    return run.facts
