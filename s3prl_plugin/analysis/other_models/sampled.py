"""Frames that are kept one by one, at the same moments of every model: what matrices and comparisons of runs need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired, Protocol

import numpy as np
from typing_extensions import TypedDict

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.other_models.second_upstream import SecondUpstream, check, of_second
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir, shared_reservoir
from s3prl_plugin.config.schema import By, Counted, Positive, Some, Text
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import Stride


class InPass(TypedDict):
    """The option `other`, of a model in the same pass."""

    upstream: Text
    checkpoint: NotRequired[str | None]
    options: NotRequired[Mapping[str, Any] | None]
    tap: NotRequired[str]


class Saved(TypedDict):
    """The option `other`, of a model whose run kept frames."""

    saved: Text
    tap: NotRequired[str]


# options of what compares models, for `AnalysisExpert.option_types`
OTHER_TYPES: Mapping[str, Any] = {
    "other": Annotated[InPass, By(check)] | Saved | None,
    "save_frames": bool | Some[Positive],
    "sampled_per_utterance": Counted,
    "sampled_frames": Counted,
}


class SampledFrames(Protocol):
    """The frames of some taps at the rows of a reservoir: a `FrameReservoir`, or one that was saved."""

    def rows(self) -> np.ndarray:
        """(n,) numbers of the rows that there are."""
        ...

    def frames(self, tap: int, rows: np.ndarray) -> np.ndarray:
        """The frames of some rows at the tap at a position, (n, D) float32."""
        ...


class Sampler:
    """Reservoirs of a run, of its own model and of another, all over the same rows.

    Args:
        gathering: of the run.
        taps: of its own model.
        options: of the analysis: `sampled_per_utterance` and `sampled_frames`.
        coarsest: the stride of the lowest frame rate that its own model has; None for that of `taps`.

    Raises:
        UserError: an option cannot be used.
    """

    def __init__(self, gathering: Gathering, taps: Sequence[Tap], options: Options, coarsest: Stride | None = None):
        self.gathering = gathering
        self.taps = tuple(taps)
        self.coarsest = coarsest or max(tap.stride for tap in taps)
        self.per_utterance = options["sampled_per_utterance"]
        self.limit = options["sampled_frames"]

    def own(self, stride: Stride | None) -> FrameReservoir:
        """The run's own taps.

        Args:
            stride: of the cells that frames are averaged over, in samples; None for every tap's own frames.
        """
        return shared_reservoir(self.gathering, self.taps, self.per_utterance, self.limit, stride)

    def of_second(self, second: SecondUpstream, stride: Stride | None) -> FrameReservoir:
        """The taps of another model in the same pass; `stride` as in `own`."""
        cells = "frames of each tap" if stride is None else f"cells of {stride} samples"
        name = f"reservoir of {self.limit} {cells}, {self.per_utterance} of an utterance, of {second.name}"
        plan = self.gathering.plan
        made = self.gathering.share(
            name,
            lambda: of_second(FrameReservoir(plan, second.taps, self.per_utterance, self.limit, stride), second),
        )
        assert isinstance(made.statistic, FrameReservoir)
        return made.statistic
