"""Labels that mean nothing: what a score is by chance, with everything else about the data as it is.

Labels are exchanged between units that would be exchangeable if the layer knew nothing about them. A unit is what stays
together, a block is where units may change places:

    measure      unit                                  block
    phones       a segment                             a speaker's segments in one fold
    words        all of a speaker's tokens of a type   a speaker's words in one fold
    speakers     a session (or utterance)              everything

Within a speaker, since the phones and words that a speaker happens to say are tied to the voice: labels exchanged
across speakers would break that tie too, and a layer that knows voices alone would pass for one that knows words.
Within a fold, since tokens of a speaker in training and test would be exchangeable only if they did not resemble each
other. (With folds by speaker a speaker is in one fold, so that this says nothing new.)

Whole groups, since tokens of one word by one speaker (utterances of one session) resemble each other for reasons that
are not the word (the speaker): the sentence around it, the microphone. They are not independent draws. Exchanged one by
one, every label would come to mean a random mixture, and chance would look smaller and less variable than it is. Whole,
tokens that shared a label go on sharing one: what is destroyed is only that the label means the same thing for another
speaker (in another session). How many tokens a label has changes with it, where groups are of different sizes.
"""

from __future__ import annotations

import numpy as np


def permuted(label: np.ndarray, unit: np.ndarray, block: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Labels exchanged between the units of every block.

    Args:
        label: (n,) integers, the same for all rows of a unit.
        unit: (n,) integers: rows of one unit keep a label in common. A unit lies in one block.
        block: (n,) integers: units exchange labels with units of the same block only.
        generator: decides.

    Returns:
        (n,) labels.

    Raises:
        ValueError: a unit has two labels or lies in two blocks.
    """
    _, first, member = np.unique(unit, return_index=True, return_inverse=True)
    of_unit, block_of = label[first], block[first]
    if (of_unit[member] != label).any() or (block_of[member] != block).any():
        raise ValueError("a unit has rows of two labels or in two blocks")
    exchanged = of_unit.copy()
    for each in np.unique(block_of):
        mine = np.flatnonzero(block_of == each)
        exchanged[mine] = of_unit[generator.permutation(mine)]
    return exchanged[member]


def units_of(kind: str, label: np.ndarray, speaker: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The units and blocks of a measure of segments.

    Args:
        kind: "phone", "word" or "speaker".
        label, speaker, fold: (n,) integers of every segment; of kind "speaker", `speaker` is the session.

    Returns:
        unit, block: (n,) integers, for `permuted`.
    """
    if kind == "speaker":
        return _numbered(speaker, label), np.zeros(len(label), dtype=np.int64)
    block = _numbered(speaker, fold)
    return (_numbered(block, label) if kind == "word" else np.arange(len(label))), block


def _numbered(*keys: np.ndarray) -> np.ndarray:
    """(n,) a number for every combination of keys that occurs."""
    if not len(keys[0]):
        return np.zeros(0, dtype=np.int64)
    return np.unique(np.stack(keys), axis=1, return_inverse=True)[1].ravel()
