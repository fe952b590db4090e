"""abx_phone, abx_word and abx_items: the rows of one unit, from the frames of its tokens at every tap.

All taps are scored on the tokens that all of them keep, and in any context, where these are others, on a tap's own
beside it: a tap of long frames has no frame in short phones, which are the harder ones.

Chance is the error with the labels of a and b exchanged at random among the tokens of their speaker (and context);
intervals leave out every speaker in turn, whether of a and b or of x.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s3prl_plugin.analysis.chance import chance_fields
from s3prl_plugin.analysis.information.seeds import interval_fields
from s3prl_plugin.analysis.measure import Foretold
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.tokens.distances import TokenFrames, distances, working_bytes
from s3prl_plugin.analysis.tokens.inside import CLOSED
from s3prl_plugin.analysis.tokens.kept import KeptTokens
from s3prl_plugin.downstream.abx.cells import ACROSS, Cells, Comparisons, comparisons, tables, triplets
from s3prl_plugin.downstream.abx.error import ANY, NEEDS, TRIPHONE
from s3prl_plugin.downstream.abx.task import Task
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused, Verdict
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import ms_text

HEADLINE, WEIGHTED = SCORES = ("error", "weighted")
FEWEST_TRIPLETS = 5000
OWN = ", own tokens"
ZERO_SHARE = 0.01
TIMED = 1 << 21  # distances of frames by which the time of all is told


@dataclass(frozen=True, slots=True)
class AbxSettings:
    """How a task is scored.

    Attributes:
        speakers: "across", "within".
        dtw: along the cheapest path; else tokens are means.
        x_speakers: across speakers, at most so many for every label, speaker and context.
        permutations: of labels, whose mean error is chance.
        intervals: "full" or "none".
        device: that computes distances.
        rule: which frames are inside a token; one of `inside.RULES`, which rows have as their protocol.
    """

    speakers: tuple[str, ...]
    dtw: bool
    x_speakers: int | None
    permutations: int
    intervals: str
    device: str
    rule: str


class Discrimination:
    """The rows of a unit.

    Args:
        kept: the frames of the wanted tokens.
        place: (N,) the number of every candidate in `kept`; -1 where it is not wanted.
        tasks: of the unit: in any context, in that of the triphone.
        triphones: whether tokens reach over their neighbours.
        segments: what rows say of how tokens are made; None for the times of the corpus.
        settings: of the run.
        make_row: of the analysis.
        say: tells the user.
    """

    def __init__(
        self,
        kept: KeptTokens,
        place: np.ndarray,
        tasks: Sequence[Task],
        triphones: bool,
        segments: str | None,
        settings: AbxSettings,
        make_row: RowMaker,
        say: Callable[[str], None],
    ):
        self.kept = kept
        self.place = place
        self.tasks = tuple(tasks)
        self.settings = settings
        self.make_row = make_row
        self.say = say
        self.triphones = triphones
        self.measure = f"abx_{tasks[0].unit}"
        protocol = "default" if settings.rule == CLOSED else settings.rule
        self._fields: dict[str, Any] = {"segments": segments, "protocol": protocol, "higher_is_better": False}

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.kept.taps)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        self._say_past()
        for position in range(len(self.kept.taps)):
            rows: list[Row] = []
            for task in self.tasks:
                common, own = self.common(task), self.own(task, position)
                for speaker in self.settings.speakers:
                    rows += self._rows(position, task, speaker, common, "")
                    if task.context == ANY and not np.array_equal(common, own):
                        rows += self._rows(position, task, speaker, own, OWN)
            yield rows

    @property
    def scoring_bytes(self) -> int:
        """See `Foretells`."""
        return max(working_bytes(self.kept.count[tap.stride], tap.dim) for tap in self.kept.taps)

    def foretell(self) -> Foretold:
        """See `Foretells`: what the row that tables show rests on, and the time of all rows."""
        task = self.tasks[0]
        speaker = ACROSS if ACROSS in self.settings.speakers else self.settings.speakers[0]
        which = np.flatnonzero(task.common)
        verdict, count = Verdict(), 0
        try:
            count = triplets(self._compared(task, speaker, which))
            verdict = Verdict(grey=self._few(count))
        except Refused as refused:
            verdict = Verdict(refused=refused.reason)
        seconds = sum(self._seconds(task, speaker) for task in self.tasks for speaker in self.settings.speakers)
        return Foretold(self.measure, f"{count} triplets of {len(which)} tokens", count, verdict, seconds)

    def _seconds(self, task: Task, speaker: str) -> float:
        """Processor seconds of one task on this machine, from some of its blocks, of noise."""
        which = np.flatnonzero(task.common)
        try:
            found = self._compared(task, speaker, which)
        except Refused:
            return 0.0
        tap = self.kept.taps[0]
        count = self.kept.count[tap.stride][self.place[which]]
        cells = [int(count[each.block[0]].sum()) * int(count[each.block[1]].sum()) for each in found]
        timed = found[:: -(-sum(cells) // TIMED)]
        frames = np.random.default_rng(0).standard_normal((count.sum(), tap.dim), dtype=np.float32)
        begin = time.process_time()
        sequences = TokenFrames.of(frames, count, self.settings.dtw)
        whole, *drawn = self._tables(timed, sequences)
        said = range(len(task.candidates.speakers)) if self.settings.intervals == "full" else ()
        whole.errors_without(said)
        for each in drawn:
            each.errors_without(())
        share = sum(cells[:: -(-sum(cells) // TIMED)]) / sum(cells)
        return (time.process_time() - begin) / share

    def common(self, task: Task) -> np.ndarray:
        """(n,) positions of the candidates that every tap is scored on."""
        return self._there(task.common, ~self.kept.past_any)

    def own(self, task: Task, tap: int) -> np.ndarray:
        """(n,) those that one tap has frames of."""
        return self._there(task.own[self.kept.taps[tap].stride], ~self.kept.past[tap])

    def _there(self, drawn: np.ndarray, inside: Any) -> np.ndarray:
        which = np.flatnonzero(drawn)
        number = self.place[which]
        return which[(self.kept.seen & inside)[number]]

    def _rows(self, position: int, task: Task, speaker: str, which: np.ndarray, own: str) -> list[Row]:
        """The rows of one task, speaker and set of tokens."""
        tap = self.kept.taps[position]
        fields = {**self._fields, "subset": speaker + own, "control": task.context}
        headline = HEADLINE if (speaker, own, task.context) == (ACROSS, "", ANY) else ""
        try:
            found, drawn, sequences = self._cells(position, task, speaker, which)
        except Refused as refused:
            return self.make_row.refuse(tap, self.measure, SCORES, headline, refused.reason, **fields)
        said = sorted({*found.speaker.tolist(), *found.other.tolist()})
        error, without = found.errors_without(said if self.settings.intervals == "full" else ())
        weighted = [found.weighted_without(who) for who in said] if self.settings.intervals == "full" else []
        fields |= {"n": int(found.triplets.sum()), "grey": self._grey(found, sequences)}
        chance = {HEADLINE: [each.error for each in drawn], WEIGHTED: [each.weighted for each in drawn]}
        made = []
        for score, value, replicates in ((HEADLINE, error, without), (WEIGHTED, found.weighted, np.array(weighted))):
            told = chance_fields(chance[score]) if drawn else {"chance": 0.5}
            if len(replicates) > 1 and np.isfinite(replicates).all():
                told |= interval_fields([intervals.jackknife(value, replicates)])
            made.append(
                self.make_row.row(tap, self.measure, score, headline=score == headline, value=value, **fields, **told)
            )
        return made

    def _cells(
        self, position: int, task: Task, speaker: str, which: np.ndarray
    ) -> tuple[Cells, list[Cells], TokenFrames]:
        """The cells of one task, and those with permuted labels.

        Raises:
            Refused: there are none, or of too few triplets.
        """
        found = self._compared(task, speaker, which)
        tap = self.kept.taps[position]
        frames, lengths = self.kept.of(position, self.place[which])
        sequences = TokenFrames.of(frames, lengths, self.settings.dtw, bool(tap.codes), self.settings.device)
        whole, *drawn = self._tables(found, sequences)
        return whole, drawn, sequences

    def _tables(self, found: Sequence[Comparisons], sequences: TokenFrames) -> list[Cells]:
        """The cells with the true labels, and with permuted ones."""
        shuffles = [self.make_row.seed + 1 + i for i in range(self.settings.permutations)]
        return tables(found, distances(sequences, [each.block for each in found]), [None, *shuffles])

    def _compared(self, task: Task, speaker: str, which: np.ndarray) -> list[Comparisons]:
        """What one task compares.

        Raises:
            Refused: nothing, or too little.
        """
        lacks = self._lacks(task, speaker)
        found = [] if lacks else comparisons(task.tokens(which), speaker, self.settings.x_speakers, self.make_row.seed)
        count = triplets(found)
        if lacks or not count:
            raise Refused(lacks or f"no triplet {speaker} speakers; {NEEDS[speaker]} would help")
        if task.context == TRIPHONE and count < FEWEST_TRIPLETS:
            raise Refused(
                f"{count} triplets {speaker} speakers with the same neighbours, {FEWEST_TRIPLETS} needed; more speech "
                "would help"
            )
        return found

    def _lacks(self, task: Task, speaker: str) -> str | None:
        """Why a corpus has no such task."""
        of = task.candidates
        if not of.found:
            return f"this corpus has no {task.unit} times; a corpus with aligned {task.unit}s is needed"
        if speaker == ACROSS and len(set(of.speaker.tolist())) < 2:
            return "one speaker; two or more are needed to compare across speakers"
        if task.context == ANY and self.triphones:
            return "tokens reach over their neighbours (triphones): they compare in the same context only"
        if task.context == TRIPHONE and len(of.contexts) < 2:
            return "all tokens have the same neighbours, or none are named; see the rows in any context"
        return None

    @staticmethod
    def _grey(found: Cells, sequences: TokenFrames) -> str | None:
        """Why a number is barely supported."""
        share = sequences.zeros / max(int(sequences.count.sum()), 1)
        if few := Discrimination._few(int(found.triplets.sum())):
            return few
        if share > ZERO_SHARE:
            return f"{share:.0%} of the frames are zero vectors, which have no angle: taken for one of equal entries"
        return None

    @staticmethod
    def _few(count: int) -> str | None:
        """Why so many triplets barely support a number."""
        if count >= FEWEST_TRIPLETS:
            return None
        return f"limited by data: {count} triplets, {FEWEST_TRIPLETS} wanted; more speech would help"

    def _say_past(self) -> None:
        """How many tokens end past a tap's frames."""
        wanted = self.kept.seen
        counts: dict[str, int] = {}
        for tap, past in zip(self.kept.taps, self.kept.past, strict=True):
            name = ms_text(tap.stride)
            counts[name] = max(counts.get(name, 0), int((past & wanted).sum()))
        if any(counts.values()):
            each = ", ".join(f"{count} at {ms} ms" for ms, count in counts.items())
            self.say(f"{self.measure}: tokens that end past the frames, which are left out: {each}")


def without_frames(task: Task, taps: Sequence[Tap]) -> str:
    """How many tokens have no frame at each rate, in one line."""
    counts = {
        ms_text(stride): int((~task.candidates.have_frames([stride])).sum())
        for stride in sorted({tap.stride for tap in taps})
    }
    each = ", ".join(f"{count} at {ms} ms" for ms, count in counts.items())
    return f"without a frame, of {len(task.candidates)} tokens: {each}"
