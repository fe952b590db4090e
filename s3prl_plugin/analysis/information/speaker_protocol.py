"""The default protocol for mi_speaker: chance is that of whole sessions.

Utterances of one session fall into one cluster for the room's sake, too. Clusters that know rooms and nothing else then
tell who speaks, as long as a room's utterances are all the same speaker's: independent utterances would never give so
much. What such clusters would give is the mean MI over ways to exchange whole sessions between speakers, and that is
what `adjusted` is adjusted for, in place of the expected MI of single utterances. With one utterance to a session the
two are the same, and the exact one is taken.

Few sessions of a speaker leave little above it: of 40 speakers with two each, sessions exchanged at random give four
fifths of the label entropy. Such numbers are grey. In simulation the intervals cover 95 % with 30 sessions each of one
utterance, 98 % with 10 sessions of five utterances, and are up to twice as wide as need be with two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from s3prl_plugin.analysis.information.mutual_information import Counts, Information, JackknifedInformation, from_table
from s3prl_plugin.analysis.information.protocols import WHITENED, MiDefault
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import CHANCE_SHARE_REFUSED, Verdict, chance_limit

EXCHANGES = 100


class SpeakerProtocol(MiDefault):
    """See the module; its tables are per session, or per group of sessions with one of every speaker at most."""

    @classmethod
    def like(cls, protocol: MiDefault) -> Self:
        """With the options of another."""
        return cls(
            protocol.make_row,
            protocol.fixed,
            protocol.intervals,
            protocol.permutations,
            whitened=WHITENED in protocol.scores,
        )

    def information(self, table: np.ndarray) -> Information:
        """See `MiDefault`."""
        exact = from_table(table.sum(axis=0))
        return replace(exact, expected_mi=exact.expected_mi * self._design_effect(table, exact))

    def jackknifed(self, table: np.ndarray) -> JackknifedInformation:
        """See `MiDefault`; chance without a session rises as the exact one does, without the noise of a draw."""
        parts = table[table.any(axis=(1, 2))]
        total = parts.sum(axis=0)
        effect = self._design_effect(table, from_table(total))
        exact = [from_table(part) for part in (total, *(total - part for part in parts))]
        whole, *without = [replace(each, expected_mi=effect * each.expected_mi) for each in exact]
        return JackknifedInformation(
            whole,
            intervals.jackknife(whole.adjusted, [each.adjusted for each in without]),
            intervals.jackknife(whole.mi_over_h, [each.mi_over_h for each in without]),
        )

    def verdict(self, tables: Sequence[np.ndarray], found: Sequence[Information]) -> Verdict:
        """Refused for what independent utterances would give; grey for what whole sessions would."""
        verdict = chance_limit(max(from_table(table.sum(axis=0)).chance_share for table in tables))
        share = max(information.chance_share for information in found)
        if verdict.refused or verdict.grey or share <= CHANCE_SHARE_REFUSED:
            return verdict
        return Verdict(
            grey=f"limited by data: sessions exchanged between speakers would give MI/H = {share:.2f}; more sessions "
            "of every speaker would help"
        )

    def _design_effect(self, table: np.ndarray, exact: Information) -> float:
        """How many times what independent utterances would give whole sessions give."""
        if int(table.sum(axis=1).max(initial=0)) <= 1 or not exact.expected_mi:
            return 1.0
        draw = stream(self.make_row.seed, "exchanged sessions")
        return float(exchanged(table, EXCHANGES, draw).mean() / exact.expected_mi)


def exchanged(table: Counts, exchanges: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """MI in nats with whole sessions exchanged between speakers.

    Args:
        table: (U, K, C); a group's tokens of one speaker are one session.
        exchanges: how often.
        generator: decides.

    Returns:
        (exchanges,)
    """
    group, speaker = np.nonzero(table.any(axis=1))
    session = table.transpose(0, 2, 1)[group, speaker]
    n = int(table.sum())
    of_cluster = session.sum(axis=0)
    found = np.empty(exchanges)
    for i in range(exchanges):
        joint = np.zeros((table.shape[2], table.shape[1]), dtype=np.int64)
        np.add.at(joint, generator.permutation(speaker), session)
        entropies = [xlogy(counts, counts).sum() for counts in (joint, joint.sum(axis=1), of_cluster)]
        found[i] = (entropies[0] - entropies[1] - entropies[2] + xlogy(n, n)) / n
    return np.maximum(found, 0.0)


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
