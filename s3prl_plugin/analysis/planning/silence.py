"""Frames with and without silence: which are kept, under which folds, and which rows they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.analysis.planning.labels import cell_centres, segment_at
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.strides import Stride

SILENCE = ("with", "without", "both")
SPEECH = "speech"


@dataclass(frozen=True)
class Frames:
    """Which frames are gathered, and the subsets of them that get rows.

    `both` gathers the speech frames of a fold and its other frames apart, as folds f and F + f; the moments of all its
    frames are the two merged, so that one pass serves both.

    Args:
        plan: the run's.
        silence: one of `SILENCE`.
    """

    plan: Plan
    silence: str

    @property
    def folds(self) -> int:
        """How many folds are gathered."""
        return self.plan.folds.count * (2 if self.silence == "both" else 1)

    @property
    def subsets(self) -> list[str | None]:
        """What rows are about: `Row.subset`."""
        subsets: dict[str, list[str | None]] = {"with": [None], "without": [SPEECH], "both": [None, SPEECH]}
        return subsets[self.silence]

    @property
    def name(self) -> str:
        """What is gathered, as part of a statistic's name; nothing where it is all frames under the plan's folds."""
        return {"with": "", "without": ", speech only", "both": ", speech and silence apart"}[self.silence]

    def fold_of(self, utterance: int, stride: Stride, frames: int) -> np.ndarray:
        """(frames,) see `frame_statistics.FoldsOfFrames`."""
        fold = self.plan.fold_of_frames(utterance, stride, frames)
        if self.silence == "with":
            return fold
        speech = is_speech(self.plan, utterance, stride, frames)
        return np.where(speech, fold, -1 if self.silence == "without" else fold + self.plan.folds.count)

    def moments(self, gathered: Sequence[Moments], subset: str | None) -> list[Moments]:
        """The moments per fold of one subset.

        Args:
            gathered: per gathered fold.
            subset: one of `subsets`.
        """
        count = self.plan.folds.count
        if self.silence != "both":
            return list(gathered)
        if subset == SPEECH:
            return list(gathered[:count])
        return [Moments.merge([gathered[f], gathered[count + f]]) for f in range(count)]

    def lacks(self, subset: str | None) -> str | None:
        """Why a subset has no rows, if so."""
        if subset == SPEECH and not len(self.plan.alignment("phone")):
            return (
                "this corpus has no phone times, so that speech cannot be told from silence; "
                "a corpus with aligned phones, or silence: with, is needed"
            )
        return None


def is_speech(plan: Plan, utterance: int, stride: Stride, frames: int) -> np.ndarray:
    """Which frames of an utterance have their centre in a phone that is not silence.

    Frame i stands for the samples [i stride, (i + 1) stride); its centre is (i + 1/2) stride. A frame outside all
    phones is not speech; where phones overlap, the one that starts last counts.

    Args:
        plan: of the corpus.
        utterance: its position.
        stride: in samples.
        frames: how many.

    Returns:
        (frames,) true for speech.
    """
    alignment = plan.alignment("phone")
    silent = np.append(np.isin(alignment.labels, sorted(plan.corpus.silence)), True)  # the last: no phone
    centres = cell_centres(np.arange(frames), stride)
    segment = segment_at(alignment, np.full(frames, utterance), centres)
    return ~silent[np.append(alignment.label, -1)[segment]]
