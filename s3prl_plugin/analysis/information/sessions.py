"""What the interval of mi_speaker leaves out in turn: sessions.

The intervals of mi_phone and mi_word leave out speakers, and speak of other speakers like these. Here the speakers are
the classes: without one of them there is a class less, which is another question, not another sample. So sessions are
left out (an utterance is one where none are known), and the interval speaks of other sessions of these speakers. The
utterances of a session are left out together, since they resemble each other for reasons that are not the speaker.
"""

from __future__ import annotations

import numpy as np

MOST_GROUPS = 100  # every group left out takes a computation of its own; more make the interval no better


def left_out_together(label: np.ndarray, session: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Which rows a delete-a-group jackknife leaves out together.

    Every session by itself where there are at most a hundred; else a hundred groups of sessions, over which those of
    every speaker are dealt as evenly as can be: no group has all sessions of a speaker who has two.

    Args:
        label: (n,) integers, the speaker of every row.
        session: (n,) integers; a session has one speaker.
        generator: deals sessions to groups.

    Returns:
        (n,) group numbers from 0.

    Reference:
        Kott 2001, "The delete-a-group jackknife", Journal of Official Statistics 17.
    """
    sessions, first, number = np.unique(session, return_index=True, return_inverse=True)
    if len(sessions) <= MOST_GROUPS:
        return number
    group = np.empty(len(sessions), dtype=np.int64)
    for speaker in np.unique(label):
        mine = np.flatnonzero(label[first] == speaker)
        group[mine] = (generator.permutation(len(mine)) + generator.integers(MOST_GROUPS)) % MOST_GROUPS
    return group[number]
