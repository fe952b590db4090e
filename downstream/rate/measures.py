"""The rows of one way to make units of a tap: what they cost, and what one of them tells.

All taps and all units are asked about the same segments and the same moments, however long their frames are, so that
their scores have the same labels and the same n. What is told is what a *single* unit tells about the segment whose
midpoint it covers; units that come often may tell more together.

Chance is that of independent tokens (one unit a segment) for phones and words, and that of whole sessions exchanged
between speakers for speakers, where a session has many tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from s3prl_plugin.analysis.information.protocols import MiDefault
from s3prl_plugin.analysis.information.seeds import interval_fields, spread
from s3prl_plugin.analysis.information.speaker_protocol import SpeakerProtocol, left_out_together
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.planning.segments import CENTRE
from s3prl_plugin.analysis.planning.sessions import session_numbers
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.components import dominance
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.downstream.rate import bits
from s3prl_plugin.downstream.rate.distortion import Distortion
from s3prl_plugin.downstream.rate.units import Units
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row

ENTROPY = "entropy_bits_per_s"
ERROR = "rmse_db"
FEW_PER_UNIT = 10  # frames: below, an entropy is hardly more than that of the sample


class RateAndContent:
    """rate_bits, rate_phone, rate_word and rate_speaker of every tap and way to make units.

    Args:
        plan: of the run; its seed is that of the first k-means.
        units: of which taps, and how.
        reservoir: every tap's own frames at sampled moments.
        segments: unit ("phone", "word") -> the frames at the midpoints of its sampled segments.
        wanted: measures.
        protocol: of mutual information.
        seeds: k-means runs, whose scores are averaged.
        make_row: of the analysis.
    """

    def __init__(
        self,
        plan: Plan,
        units: Sequence[Units],
        reservoir: FrameReservoir,
        segments: Mapping[str, SegmentMeans],
        wanted: Sequence[str],
        protocol: MiDefault,
        seeds: int,
        make_row: RowMaker,
    ):
        self.plan = plan
        self.units = tuple(units)
        self.reservoir = reservoir
        self.segments = dict(segments)
        self.wanted = frozenset(wanted)
        self.protocol = protocol
        self.seeds = [plan.seed + i for i in range(seeds)]
        self.make_row = make_row

    def __len__(self) -> int:
        """One list of rows per tap and way to make units."""
        return len(self.units)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one after the other."""
        frames = _Frames(self.plan, self.reservoir)
        tokens = {unit: _Tokens(means) for unit, means in self.segments.items()}
        for units in self.units:
            try:
                yield self._rows(units, frames, tokens)
            except Refused as refused:
                yield self._refused(units, sorted(self.wanted), refused.reason)

    def _rows(self, units: Units, frames: _Frames, tokens: Mapping[str, _Tokens]) -> list[Row]:
        """All rows of one way to make units."""
        heard = self.reservoir.frames(units.position, frames.rows)
        scored = [heard[~frames.trains], *(each.frames(units.position) for each in tokens.values())]
        seeds = self.seeds if units.clusters else self.seeds[:1]
        found = [units.of(heard[frames.trains], scored, seed) for seed in seeds]
        of_frames = [each[0] for each in found]
        rates = self._rates(units, frames, of_frames)
        if units.clusters:
            rates |= dominance(heard[frames.trains])
        made = self._bits(units, frames, of_frames, rates) if "rate_bits" in self.wanted else []
        for number, (unit, each) in enumerate(tokens.items(), 1):
            tables = [each.tables(one[number], units.count) for one in found]
            made += self._information(units, f"rate_{unit}", each.lacks, self.protocol, tables, rates, CENTRE)
        if "rate_speaker" in self.wanted:
            tables = [frames.session_tables(each, units.count, self.make_row.seed) for each in of_frames]
            protocol = SpeakerProtocol.like(self.protocol)
            made += self._information(units, "rate_speaker", frames.lacks, protocol, tables, rates)
        return made

    def _rates(self, units: Units, frames: _Frames, found: Sequence[np.ndarray]) -> dict[str, Any]:
        """What every row of these units says of them."""
        counts = [np.bincount(each, minlength=units.count) for each in found]
        return {
            "units": units.name,
            "clusters": units.count,
            "bits_per_s": bits.nominal(units.tap.stride, units.count),
            "entropy_bits_per_s": float(np.mean([bits.by_entropy(units.tap.stride, each) for each in counts])),
        }

    def _bits(self, units: Units, frames: _Frames, found: Sequence[np.ndarray], rates: Mapping[str, Any]) -> list[Row]:
        """rate_bits."""
        per_seed = [bits.jackknifed(units.tap.stride, frames.per_speaker(each, units.count)) for each in found]
        estimates = [each for each in per_seed if each is not None]
        full = self.protocol.intervals == "full" and len(estimates) == len(found)
        few = len(found[0]) < FEW_PER_UNIT * units.count
        row = self.make_row.row(
            units.tap,
            "rate_bits",
            ENTROPY,
            headline=True,
            value=rates["entropy_bits_per_s"],
            n=len(found[0]),
            grey=f"limited by data: {len(found[0])} frames for the entropy of {units.count} units" if few else None,
            unit="bit/s",
            higher_is_better=False,
            seeds=len(found),
            seed_sd=spread([each.value for each in estimates]) if full else None,
            **rates,
            **(interval_fields(estimates) if full else {}),
        )
        return [row]

    def _information(
        self,
        units: Units,
        measure: str,
        lacks: str | None,
        protocol: MiDefault,
        tables: Sequence[np.ndarray],
        rates: Mapping[str, Any],
        segments: str | None = None,
    ) -> list[Row]:
        """The rows of a measure of information, or why there are none."""
        try:
            if lacks:
                raise Refused(lacks)
            return protocol.rows(units.tap, measure, tables, segments=segments, **rates)
        except Refused as refused:
            return self._refused(units, [measure], refused.reason, segments=segments, **rates)

    def _refused(self, of: Units, measures: Sequence[str], reason: str, **fields: Any) -> list[Row]:
        """What rows say where there are no numbers."""
        made = []
        for measure in measures:
            scores = (ENTROPY,) if measure == "rate_bits" else self.protocol.scores
            segments = CENTRE if measure.removeprefix("rate_") in self.segments else None
            said = {"units": of.name, "clusters": of.count, "segments": segments, **fields}
            made += self.make_row.refuse(of.tap, measure, scores, scores[0], reason, **said)
        return made


class MelError:
    """rate_mel: root mean square error of the decoded log-mel spectrogram, in dB.

    Args:
        distortion: what was gathered.
        units: of the discrete taps, in its order.
        intervals: "full" (delete-speaker jackknife) or "none".
        make_row: of the analysis.
    """

    def __init__(self, distortion: Distortion, units: Sequence[Units], intervals: str, make_row: RowMaker):
        self.distortion, self.units, self.intervals, self.make_row = distortion, tuple(units), intervals, make_row

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.units)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        for k, units in enumerate(self.units):
            nominal = bits.nominal(units.tap.stride, units.count)
            cost = {"units": units.name, "clusters": units.count, "bits_per_s": nominal}
            fields: dict[str, Any] = {**cost, "higher_is_better": False}
            if not self.distortion.decodes:
                reason = "this model does not decode its codes, or none of the utterances to be decoded came by"
                yield self.make_row.refuse(units.tap, "rate_mel", [ERROR], ERROR, reason, **fields)
                continue
            spoken = self.distortion.frames > 0
            errors, frames = self.distortion.errors[k][spoken].numpy(), self.distortion.frames[spoken].numpy()
            value = float(np.sqrt(errors.sum() / frames.sum()))
            without = np.sqrt((errors.sum() - errors) / np.maximum(frames.sum() - frames, 1))
            full = self.intervals == "full" and len(frames) > 1
            yield [
                self.make_row.row(
                    units.tap,
                    "rate_mel",
                    ERROR,
                    headline=True,
                    value=value,
                    n=int(frames.sum()),
                    chance=self.distortion.mean_spectrum_error(),
                    unit="dB",
                    **fields,
                    **(interval_fields([intervals.jackknife(value, without)]) if full else {}),
                )
            ]


class _Tokens:
    """The labelled segments of a unit that are scored: their frames, and tables of units and labels per speaker."""

    def __init__(self, means: SegmentMeans):
        rows, label, classes = means.labelled()
        scored = ~means.sample.trains[rows]
        self._means, self._rows, self._label = means, rows[scored], label[scored]
        self._speaker = np.unique(means.sample.speaker[self._rows], return_inverse=True)[1]
        unit = means.sample.unit
        self.lacks: str | None = None
        if not len(means.sample.alignment):
            self.lacks = f"this corpus has no {unit} times; a corpus with aligned {unit}s is needed"
        elif classes < 2:
            self.lacks = (
                f"{classes} {unit} classes with two tokens in each of three folds, two needed; more speech would help"
            )

    def frames(self, tap: int) -> np.ndarray:
        """(n, D) at a tap."""
        return self._means.means(tap, self._rows)

    def tables(self, units: np.ndarray, count: int) -> np.ndarray:
        """(U, K, C): how often units and labels meet, per speaker."""
        return _tables(self._speaker, units, self._label, count)


class _Frames:
    """The frames of the reservoir: which train, and who speaks in the others."""

    def __init__(self, plan: Plan, reservoir: FrameReservoir):
        self.rows = reservoir.rows()
        self.trains = plan.trains(reservoir.fold[self.rows])
        scored = self.rows[~self.trains]
        self._speaker = np.unique(reservoir.speaker[scored], return_inverse=True)[1]
        self._session = session_numbers(plan.corpus.utterances)[reservoir.utterance[scored]]
        pairs = np.unique(np.stack([self._speaker, self._session]), axis=1)
        sessions = np.bincount(pairs[0]) if pairs.size else np.zeros(0)
        self._kept = (sessions >= 2)[self._speaker] if len(sessions) else np.zeros(0, dtype=bool)
        speakers = int((sessions >= 2).sum())
        self.lacks = (
            f"{speakers} speakers with two sessions in the scored half, two needed; more speech would help"
            if speakers < 2
            else None
        )

    def per_speaker(self, units: np.ndarray, count: int) -> np.ndarray:
        """(U, K) how often each speaker has each unit."""
        table = np.zeros((self._speaker.max(initial=0) + 1, count), dtype=np.int64)
        np.add.at(table, (self._speaker, units), 1)
        return table

    def session_tables(self, units: np.ndarray, count: int, seed: int) -> np.ndarray:
        """(G, K, C): how often units and speakers meet, per session or group of them; see `left_out_together`."""
        label = np.unique(self._speaker[self._kept], return_inverse=True)[1]
        draw = stream(seed, "sessions", "rate_speaker")
        left_out = left_out_together(label, self._session[self._kept], draw)
        return _tables(left_out, units[self._kept], label, count)


def _tables(group: np.ndarray, units: np.ndarray, label: np.ndarray, count: int) -> np.ndarray:
    table = np.zeros((group.max(initial=0) + 1, count, label.max(initial=0) + 1), dtype=np.int64)
    np.add.at(table, (group, units, label), 1)
    return table
