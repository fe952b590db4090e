"""Folds of a corpus: what is held out together, the same for every tap, measure and model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.analysis.planning.sampling import deal, stream
from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.errors import UserError

MAX_FOLDS = 8
MIN_FOLDS = 3
MIN_SPEAKERS = 8

SPLITS = ("auto", "speaker", "sentence", "utterance")
SHARED_TEXTS = ("leave_out", "one_fold", "keep")


@dataclass(frozen=True)
class Folds:
    """Which fold every utterance belongs to.

    Attributes:
        of_utterance: (U,) fold numbers from 0.
        count: how many folds there are.
        split_by: what no two folds have in common: "speaker", "sentence", "utterance" or "session" (`sessions`).
        shared_text: (U,) true where most speakers say the same text.
        left_out: (U,) true where an utterance takes no part in segment measures.
        notes: what a user should know about this split.
    """

    of_utterance: np.ndarray
    count: int
    split_by: str
    shared_text: np.ndarray
    left_out: np.ndarray
    notes: tuple[str, ...]

    def trains(self, fold: np.ndarray) -> np.ndarray:
        """Whether a fold is of the first half, on which clusters are learned; the other half is scored."""
        return np.asarray(fold) < self.count // 2


def assign(
    utterances: Sequence[Utterance], seed: int, split_by: str = "auto", shared_texts: str = "leave_out"
) -> Folds:
    """Divide utterances into folds.

    By speaker where there are eight or more, so that every fold has at least two; else by sentence, which is by
    utterance where no text is said twice. When the split is by speaker, a text that most speakers share is in training
    and test alike: it is left out of segment measures, or all of its utterances get a fold of their own (whose
    speakers then are in other folds too), or it is kept as it is.

    Args:
        utterances: of the corpus, sorted by name.
        seed: of the run.
        split_by: "auto", or one of "speaker", "sentence", "utterance".
        shared_texts: "leave_out", "one_fold" or "keep"; matters for a split by speaker.

    Raises:
        UserError: there are too few speakers or utterances for three folds.
    """
    speakers = {u.speaker for u in utterances}
    if split_by == "auto":
        split_by = "speaker" if len(speakers) >= MIN_SPEAKERS else "sentence"
    shared = _shared_texts(utterances, speakers)
    none = np.zeros(len(utterances), dtype=bool)
    if split_by == "speaker":
        apart = shared if shared_texts == "one_fold" else none
        folds = _deal_groups(utterances, lambda u: u.speaker, "speaker", seed, apart)
        left_out = shared if shared_texts == "leave_out" else none
        notes = [_balance(utterances, folds, "speaker"), *_shared_note(utterances, shared, shared_texts)]
    else:
        texts = [u.sentence for u in utterances if u.sentence is not None]
        said_twice = len(set(texts)) < len(texts)
        by_sentence = split_by == "sentence" and said_twice
        key: Callable[[Utterance], Hashable] = _text if by_sentence else (lambda u: u.name)
        split_by = "sentence" if by_sentence else "utterance"
        folds = _deal_groups(utterances, key, split_by, seed, none)
        left_out = none
        notes = [_balance(utterances, folds, split_by) + f"; {len(speakers)} speakers in training and test alike"]
    return Folds(folds, int(folds.max()) + 1, split_by, shared, left_out, tuple(notes))


def _text(utterance: Utterance) -> Hashable:
    """What an utterance says; an unknown text is like no other."""
    return ("text", utterance.sentence) if utterance.sentence is not None else ("utterance", utterance.name)


def _shared_texts(utterances: Sequence[Utterance], speakers: set[str]) -> np.ndarray:
    """(U,) whether more than half of all speakers (and at least two) say an utterance's text."""
    sayers: dict[str, set[str]] = defaultdict(set)
    for u in utterances:
        if u.sentence is not None:
            sayers[u.sentence].add(u.speaker)
    common = {text for text, who in sayers.items() if len(who) >= 2 and 2 * len(who) > len(speakers)}
    return np.array([u.sentence in common for u in utterances], dtype=bool)


def _deal_groups(
    utterances: Sequence[Utterance],
    key: Callable[[Utterance], Hashable],
    unit: str,
    seed: int,
    apart: np.ndarray,
) -> np.ndarray:
    """(U,) folds that keep the utterances of one key together; those `apart` form the last fold."""
    seconds: dict[Hashable, float] = defaultdict(float)
    for u, is_apart in zip(utterances, apart, strict=True):
        if not is_apart:
            seconds[key(u)] += u.duration_s
    groups = sorted(seconds, key=str)
    extra = int(apart.any())
    count = min(MAX_FOLDS - extra, len(groups) // 2)
    if count + extra < MIN_FOLDS:
        raise UserError(
            f"{len(groups)} {unit}s are too few for {MIN_FOLDS} folds of two; "
            f"give a corpus with more of them, or set split_by to another of {', '.join(SPLITS)}"
        )
    dealt = deal([seconds[g] for g in groups], count, stream(seed, "folds", unit))
    fold_of = dict(zip(groups, dealt.tolist(), strict=True))
    return np.array([count if a else fold_of[key(u)] for u, a in zip(utterances, apart, strict=True)], dtype=np.int64)


def _balance(utterances: Sequence[Utterance], folds: np.ndarray, unit: str) -> str:
    """How the folds came out, in one line."""
    seconds = np.bincount(folds, weights=[u.duration_s for u in utterances])
    return f"{len(seconds)} folds by {unit}, {seconds.min() / 60:.2g} to {seconds.max() / 60:.2g} minutes each"


def _shared_note(utterances: Sequence[Utterance], shared: np.ndarray, shared_texts: str) -> list[str]:
    """What was done about texts that most speakers say; nothing where there are none."""
    if not shared.any():
        return []
    texts = {u.sentence for u, s in zip(utterances, shared, strict=True) if s}
    done = {
        "leave_out": "left out of segment measures (shared_texts: one_fold or keep would use them)",
        "one_fold": "in one fold of their own, whose speakers are in the other folds too",
        "keep": "kept: the same words are in training and test",
    }[shared_texts]
    return [f"{len(texts)} texts that most speakers say ({int(shared.sum())} utterances): {done}"]
