"""Folds that keep sessions apart and have every speaker in training and test: for measures whose label is the speaker.

A session is what a speaker recorded on one occasion: a LibriSpeech chapter, a VoxCeleb video; where a corpus does not
say, every utterance is one. Within a session microphone, room and mood stay what they are, and would pass for the voice
if some of its utterances were trained on and others scored.

What is said is not the label either, but it can give the speaker away. A text that a speaker says again in training and
test tells who speaks. A text that several speakers say tells the contrary: in training it is known from all but the one
who is held out. So a text is never in training and test alike:

    utterances without a session    all that say the same text, whoever says it, are held out together
    sessions                        hold many texts, and tying them by each would tie all; utterances whose text occurs
                                    in another session too are left out ("chapter one", read passages)

Where most texts are said in every session (passphrases), that leaves nothing; `shared_texts: keep` then minds sessions
alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from s3prl_plugin.analysis.planning.folds import MAX_FOLDS, MIN_FOLDS, Folds
from s3prl_plugin.analysis.planning.labels import MIN_TOKENS
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.corpora.corpus import Utterance

SPLIT = "session"

Key = tuple[str, ...]


def assign(utterances: Sequence[Utterance], seed: int, shared_texts: str = "leave_out") -> Folds:
    """Divide utterances into folds, each speaker's sessions as evenly as can be.

    As many folds as the median speaker can have two utterances in, three to eight; and four rather than three where
    only sessions are few, so that a jackknife can do without one.

    Args:
        utterances: of the corpus, sorted by name.
        seed: of the run.
        shared_texts: "keep" does not mind texts; see above.

    Returns:
        Folds, whose `left_out` utterances take no part.
    """
    texts_matter = shared_texts != "keep"
    group, left_out = _groups(utterances, texts_matter)
    members: dict[Key, list[int]] = defaultdict(list)
    for i, key in enumerate(group):
        if not left_out[i]:
            members[key].append(i)
    count = _count([[utterances[i].speaker for i in mine] for mine in members.values()])
    fold = _deal(utterances, members, count, stream(seed, "folds", SPLIT))
    named = any(u.session is not None for u in utterances)
    tied = any(key[0] == "text" and len(mine) > 1 for key, mine in members.items())
    by = "session" if named else "utterance (no sessions are known)"
    notes = [f"speakers: {count} folds by {by}{', those of one text together' if tied else ''}"]
    if left_out.any():
        notes.append(f"speakers: {int(left_out.sum())} utterances whose text is said in several sessions are left out")
    return Folds(fold, count, SPLIT, np.zeros(len(utterances), dtype=bool), left_out, tuple(notes))


def session_numbers(utterances: Sequence[Utterance]) -> np.ndarray:
    """(U,) a number for every session of every speaker, in order of first appearance."""
    keys = [_session(u) for u in utterances]
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.int64)


def _session(utterance: Utterance) -> Key:
    """What names a session in the whole corpus; an utterance without one is its own."""
    if utterance.session is None:
        return ("utterance", utterance.name)
    return ("session", utterance.speaker, utterance.session)


def _groups(utterances: Sequence[Utterance], texts_matter: bool) -> tuple[list[Key], np.ndarray]:
    """What is held out together, and (U,) which utterances are left out for their text."""
    sessions_of: dict[str, set[Key]] = defaultdict(set)
    for u in utterances:
        if texts_matter and u.sentence:
            sessions_of[u.sentence].add(_session(u))
    tied = {text for text, found in sessions_of.items() if all(key[0] == "utterance" for key in found)}
    repeated = {text for text, found in sessions_of.items() if len(found) > 1} - tied
    group = [("text", u.sentence) if u.sentence in tied and u.sentence else _session(u) for u in utterances]
    return group, np.array([u.sentence in repeated for u in utterances], dtype=bool)


def _count(speakers_of_groups: Sequence[Sequence[str]]) -> int:
    """How many folds."""
    groups = Counter(s for speakers in speakers_of_groups for s in set(speakers))
    pairs = {s: n // MIN_TOKENS for s, n in Counter(s for speakers in speakers_of_groups for s in speakers).items()}
    usable = [s for s in groups if min(groups[s], pairs[s]) >= MIN_FOLDS]
    if not usable:
        return MIN_FOLDS
    count = int(np.median([min(groups[s], pairs[s]) for s in usable]))
    enough = int(np.median([pairs[s] for s in usable])) > MIN_FOLDS
    return min(max(count, MIN_FOLDS + enough), MAX_FOLDS)


def _deal(
    utterances: Sequence[Utterance],
    members: dict[Key, list[int]],
    count: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """(U,) folds. In random order, the largest groups first, each goes to where its speakers have least.

    Fewest utterances in the fold; then fewest groups in its half of the folds (clusters are learned on one half and
    scored on the other), and of halves that are alike the scored one, whose sessions an interval leaves out in turn;
    then fewest seconds of all speakers.
    """
    scored = np.arange(count) >= count // 2
    said: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(count))
    held: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(count))
    seconds = np.zeros(count)
    fold = np.zeros(len(utterances), dtype=np.int64)
    keys = sorted(members)
    order = [keys[i] for i in generator.permutation(len(keys))]
    for key in sorted(order, key=lambda key: -len(members[key])):
        speakers = [utterances[i].speaker for i in members[key]]
        groups = np.sum([held[speaker] for speaker in speakers], axis=0)
        halves = np.where(scored, groups[scored].mean(), groups[~scored].mean())
        best = np.lexsort((seconds, ~scored, halves, np.sum([said[speaker] for speaker in speakers], axis=0)))[0]
        fold[members[key]] = best
        seconds[best] += sum(utterances[i].duration_s for i in members[key])
        for speaker in speakers:
            said[speaker][best] += 1
        for speaker in set(speakers):
            held[speaker][best] += 1
    return fold
