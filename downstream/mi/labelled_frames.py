"""Frames of a reservoir and the phones that they are frames of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s3prl_plugin.analysis.planning.labels import cell_centres, segment_at
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir
from s3prl_plugin.strides import Stride, frame_at

SPEECH = "speech"


@dataclass(frozen=True)
class LabelledFrames:
    """The rows of a reservoir that lie in a phone.

    Attributes:
        rows: (n,) numbers of reservoir rows.
        segment: (n,) positions in the alignment.
        label: (n,) 0 <= number < C; all silence labels are one class.
        classes: C.
        speaker: (n,).
        speech: (n,) true where the phone is not silence.
        trains: (n,) true where clusters are learned; the others are scored.
        dropped: reason -> number of frames that are not used.
    """

    rows: np.ndarray
    segment: np.ndarray
    label: np.ndarray
    classes: int
    speaker: np.ndarray
    speech: np.ndarray
    trains: np.ndarray
    dropped: dict[str, int]

    @classmethod
    def of(cls, plan: Plan, reservoir: FrameReservoir, rows: np.ndarray, stride: Stride) -> LabelledFrames:
        """Label some rows with the phone at the centre of their cell.

        Args:
            plan: of the run.
            reservoir: whose rows they are.
            rows: row numbers.
            stride: of the grid, in samples.
        """
        alignment = plan.alignment("phone")
        utterance = reservoir.utterance[rows]
        segment = segment_at(alignment, utterance, cell_centres(frame_at(reservoir.moment[rows], stride), stride))
        shared = plan.folds.left_out[utterance]
        kept = (segment >= 0) & ~shared
        names = np.array([*alignment.labels, ""])[alignment.label[segment[kept]]] if kept.any() else np.zeros(0, str)
        speech = ~np.isin(names, sorted(plan.corpus.silence))
        label = np.unique(np.where(speech, names, ""), return_inverse=True)[1]
        return cls(
            rows=rows[kept],
            segment=segment[kept],
            label=label,
            classes=int(label.max(initial=-1)) + 1,
            speaker=reservoir.speaker[rows[kept]],
            speech=speech,
            trains=plan.trains(reservoir.fold[rows[kept]]),
            dropped={"of shared texts": int(shared.sum()), "outside all phones": int((~shared & (segment < 0)).sum())},
        )

    def line(self) -> str:
        """One line on what is used and what is not."""
        silent, learned = int((~self.speech).sum()), int(self.trains.sum())
        text = f"{len(self.rows)} frames of {self.classes} classes, {silent} of them silent"
        text += f", {learned} to learn from and {len(self.rows) - learned} to score"
        left = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items() if count)
        return f"{text}; not used: {left}" if left else text

    def counted(self, subset: str | None) -> np.ndarray:
        """(n,) which frames are scored: none on which clusters are learned; of "speech", none that are silent."""
        return ~self.trains & self.speech if subset == SPEECH else ~self.trains
