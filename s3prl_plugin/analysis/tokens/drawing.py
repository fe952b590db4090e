"""Which tokens of a corpus are compared: drawn once by what they are and a seed, the same for all taps and models."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.tokens.inside import CLOSED, frames_inside
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import SAMPLE_RATE, Stride, exact_stride

EDGE = "#"  # the neighbour of a phone at an end of an utterance, or beside a gap


@dataclass(frozen=True, eq=False)
class Candidates:
    """All tokens of a corpus that may be compared.

    Attributes:
        utterance: (N,) positions in the corpus, increasing.
        speaker: (N,) positions in `speakers`.
        speakers: names, sorted.
        start, end: (N,) samples; of triphones from the start of the one before to the end of the one after.
        label: (N,) positions in `labels`.
        labels: names, sorted.
        context: (N,) positions in `contexts`.
        contexts: (before, after) of phones, names.
        order: (N,) by which tokens are drawn, lowest first: a hash of seed and token.
        found: how many tokens the corpus has in all.
        left_out: reason -> how many are no candidates.
        rule: which frames are inside a token; one of `inside.RULES`.
    """

    utterance: np.ndarray
    speaker: np.ndarray
    speakers: tuple[str, ...]
    start: np.ndarray
    end: np.ndarray
    label: np.ndarray
    labels: tuple[str, ...]
    context: np.ndarray
    contexts: tuple[tuple[str, str], ...]
    order: np.ndarray
    found: int
    left_out: dict[str, int]
    rule: str = CLOSED

    def __len__(self) -> int:
        """How many."""
        return len(self.utterance)

    def have_frames(self, strides: Iterable[Stride]) -> np.ndarray:
        """(N,) whether a token has a frame at all of these frame rates."""
        there = np.ones(len(self), dtype=bool)
        for stride in strides:
            first, last = frames_inside(self.start, self.end, stride, self.rule)
            there &= last > first
        return there

    def drawn(self, most: int | None, allowed: np.ndarray, by_context: bool = False) -> np.ndarray:
        """(N,) which are drawn: at most so many of a speaker and label (and context), of those that are allowed."""
        groups = [self.speaker, self.label, *([self.context] if by_context else [])]
        chosen = np.flatnonzero(allowed)
        ordered = chosen[np.lexsort((self.order[chosen], *(each[chosen] for each in groups)))]
        mask = np.zeros(len(self), dtype=bool)
        if len(ordered):
            key = np.stack([each[ordered] for each in groups])
            starts = np.concatenate([[True], (key[:, 1:] != key[:, :-1]).any(axis=0)])
            place = np.arange(len(ordered)) - np.maximum.accumulate(np.where(starts, np.arange(len(ordered)), 0))
            mask[ordered[place < (len(ordered) if most is None else most)]] = True
        return mask


def candidates(
    plan: Plan,
    unit: str,
    leave_out_shared: bool,
    types: int | None = None,
    triphones: bool = False,
    rule: str = CLOSED,
) -> Candidates:
    """The tokens of a corpus that may be compared.

    Args:
        plan: of the run.
        unit: "phone" or "word"; silence is a neighbour of phones, and never compared.
        leave_out_shared: utterances whose text most speakers say are left out, however the folds are split.
        types: only so many labels, the most frequent; None: all.
        triphones: a token reaches over its neighbours; those at an end of an utterance are left out.
        rule: which frames are inside a token; one of `inside.RULES`.
    """
    alignment = plan.alignment(unit)
    every = np.arange(len(alignment))
    silence = plan.corpus.silence if unit == "phone" else frozenset()
    quiet = np.isin(np.array(alignment.labels, dtype=str), sorted(silence))[alignment.label]
    shared = plan.folds.shared_text[alignment.utterance] & leave_out_shared
    kept = ~quiet & ~shared
    left_out = {"silence": int(quiet.sum()), "of texts that most speakers say": int((shared & ~quiet).sum())}
    if types is not None:
        frequency = np.bincount(alignment.label[kept], minlength=len(alignment.labels))
        rare = ~np.isin(alignment.label, np.argsort(-frequency, kind="stable")[:types])
        left_out["of less frequent labels"] = int((kept & rare).sum())
        kept &= ~rare
    before, after = _neighbours(alignment.utterance, alignment.start, alignment.end)
    start, end = alignment.start, alignment.end
    if triphones:
        edge = kept & ((before < 0) | (after < 0))
        left_out["at an end of an utterance or beside a gap"] = int(edge.sum())
        kept &= ~edge
        start, end = start[before], end[after]
    names = np.array([*alignment.labels, EDGE], dtype=object)
    sides = [np.where(each < 0, len(names) - 1, alignment.label[each]) for each in (before, after)]
    segment = every[kept]
    around, context = np.unique(np.stack(sides)[:, segment], axis=1, return_inverse=True)
    numbers, label = np.unique(alignment.label[segment], return_inverse=True)
    utterance = alignment.utterance[segment]
    said = [plan.corpus.utterances[u].name for u in utterance]
    tokens = zip(said, alignment.start[segment].tolist(), alignment.end[segment].tolist(), strict=True)
    return Candidates(
        utterance=utterance,
        speaker=plan.speaker_of_utterance[utterance],
        speakers=tuple(sorted(plan.corpus.speakers)),
        start=start[segment],
        end=end[segment],
        label=label,
        labels=tuple(str(names[i]) for i in numbers),
        context=context.ravel(),
        contexts=tuple((str(names[a]), str(names[b])) for a, b in around.T),
        order=hashed(plan.seed, [(unit, *token) for token in tokens]),
        found=len(alignment),
        left_out={reason: count for reason, count in left_out.items() if count},
        rule=rule,
    )


def all_strides(options: Options, key: str, taps: Iterable[Tap]) -> tuple[Stride, ...]:
    """The frame rates at which tokens must have a frame: those of all taps, and those that an option adds.

    Args:
        options: of the analysis.
        key: of a list of milliseconds.
        taps: of the upstream.
    """
    further = {exact_stride(Fraction(str(ms)) * SAMPLE_RATE / 1000) for ms in options[key]}
    return tuple(sorted({tap.stride for tap in taps} | further))


def hashed(seed: int, names: Sequence[object]) -> np.ndarray:
    """(N,) numbers that depend on a seed and a name alone."""
    digests = (hashlib.blake2b(repr((seed, name)).encode(), digest_size=8).digest() for name in names)
    return np.array([int.from_bytes(each, "big") for each in digests], dtype=np.uint64)


def _neighbours(utterance: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) positions of the segments before and after, where these touch; -1 where none does."""
    every = np.arange(len(utterance))
    touching = (utterance[1:] == utterance[:-1]) & (start[1:] <= end[:-1])
    before = np.where(np.append(False, touching), every - 1, -1) if len(every) else every
    after = np.where(np.append(touching, False), every + 1, -1) if len(every) else every
    return before, after
