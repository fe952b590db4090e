"""The option `other`: a second model, in the same pass or from the frames that a run of its own kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.other_models import second_upstream
from s3prl_plugin.analysis.other_models.sampled import SampledFrames, Sampler
from s3prl_plugin.analysis.other_models.saved_comparison import SavedComparison
from s3prl_plugin.analysis.other_models.saved_frames import KeptFrames, SavedFrames, SavedGrid, wanted_grids
from s3prl_plugin.analysis.other_models.second_upstream import SecondUpstream, name_of
from s3prl_plugin.analysis.other_models.tap_pairs import Side, TapPairs
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.files import digests
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import Stride

if TYPE_CHECKING:
    from s3prl_plugin.analysis.expert import AnalysisExpert

EXAMPLE = "{upstream: NAME, tap: NAME} or {saved: FOLDER, tap: NAME}"


class OtherModel:
    """What an analysis compares its taps with, and which statistics that takes.

    Args:
        options: of the analysis: `other`, `save_frames` and those of `Sampler`.
        sampler: of the run.
        device: where a second upstream shall live.

    Attributes:
        second: the other model in the same pass; None where there is none.
        saved: the other model's saved frames; None where there are none.

    Raises:
        UserError: an option cannot be used, or what was saved is of another run.
    """

    def __init__(self, options: Options, sampler: Sampler, device: str | torch.device):
        self._options = options
        self._sampler = sampler
        self.second: SecondUpstream | None = None
        self.saved: SavedFrames | None = None
        given = options["other"]
        self._tap: Any = None
        if given is None:
            return
        self._tap = given.get("tap")
        if "saved" in given:
            self.saved = SavedFrames(str(given["saved"]), sampler.gathering.plan, sampler.own(None))
        else:
            self.second = self._load(given, device)

    @classmethod
    def of(cls, expert: AnalysisExpert, sampler: Sampler, measures: Sequence[str]) -> OtherModel:
        """That of an analysis, checked for its measures, and told of."""
        other = cls(expert.options, sampler, expert.device)
        other.check(measures, expert.name)
        expert.reads |= other.reads
        for line in other.lines():
            expert.say(line)
        return other

    @property
    def given(self) -> bool:
        """Whether there is another model."""
        return self.second is not None or self.saved is not None

    @property
    def name(self) -> str | None:
        """The other model's name in results."""
        model = self.second or self.saved
        return model.name if model else None

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The other model's."""
        model = self.second or self.saved
        return model.taps if model else ()

    def check(self, measures: Sequence[str], family: str) -> None:
        """Refuse an `other` that nothing uses, and a measure that lacks it.

        Args:
            measures: that are wanted.
            family: the first half of their names.

        Raises:
            UserError: of either kind.
        """
        inter = f"{family}_inter" in measures
        if inter and not self.given:
            raise UserError(f"{self._options.name}: {family}_inter needs {self._where}: {EXAMPLE}")
        if self.given and not (inter or f"{family}_matrix" in measures):
            raise UserError(
                f"{self._where} is set, but measures names neither {family}_inter nor {family}_matrix, which use it; "
                "add one of them, or leave it out"
            )

    @property
    def reads(self) -> dict[str, str | None]:
        """The file of the saved frames, where there are any, and its digest."""
        return {str(self.saved.path): digests.of_path(self.saved.path)} if self.saved else {}

    def lines(self) -> list[str]:
        """What a user should know of the other model before the pass."""
        if not self.given:
            return []
        how = "in the same pass" if self.saved is None else f"from frames saved in {self.saved.path}"
        return [f"other model: {self.name}, {len(self.taps)} taps, {how}"]

    def tap(self) -> int:
        """The position of the other model's tap that all taps are compared with.

        Raises:
            UserError: it is not named, or there is none of that name.
        """
        names = [tap.name for tap in self.taps]
        if self._tap is None:
            raise UserError(f"{self._where}: `tap` is missing; {self.name} has {', '.join(names)}")
        if self._tap not in names:
            hint = did_you_mean(str(self._tap), names)
            raise UserError(f"{self._where}.tap: {self.name} has no tap {self._tap!r}; {hint}")
        return names.index(self._tap)

    def in_pass(self) -> tuple[SecondUpstream, int] | None:
        """The second upstream and its tap, for `FrameStatistics`; None where there is none."""
        return (self.second, self.tap()) if self.second else None

    def comparison(self) -> SavedComparison | None:
        """Every tap with the tap of a saved model; None where there is none."""
        return SavedComparison(self._sampler, self.saved, self.tap()) if self.saved else None

    def matrices(self) -> list[TapPairs]:
        """The pairs of all taps of the run's model, and with all taps of the other one.

        Every pair of a matrix is seen on its coarsest tap's frame rate, finer taps averaged over its frames, so that
        the numbers of a matrix are about the same frames.
        """
        sampler, folds = self._sampler, self._sampler.gathering.plan.folds.count
        grid = sampler.coarsest
        own = sampler.own(grid)
        found = [TapPairs(Side(sampler.taps, own), None, own.fold, folds)]
        if self.given:
            wide = max(grid, *(tap.stride for tap in self.taps))
            here = Side(sampler.taps, sampler.own(wide))
            there = Side(self.taps, self._sampled(wide), self.name)
            found.append(TapPairs(here, there, own.fold, folds))
        return found

    def kept(self, folder: str | Path, provenance: Mapping[str, Any]) -> list[KeptFrames]:
        """What `save_frames` asks for.

        Args:
            folder: of the run.
            provenance: of its model.

        Raises:
            UserError: it cannot be used.
        """
        strides = wanted_grids(self._options)
        named = {"upstream": "unnamed", **provenance}
        return [KeptFrames(self._sampler, strides, folder, name_of(named))] if strides else []

    def _sampled(self, stride: Stride) -> SampledFrames:
        """The other model's frames, averaged over cells."""
        if self.second is not None:
            return self._sampler.of_second(self.second, stride)
        assert self.saved is not None
        return SavedGrid(self.saved, stride)

    @property
    def _where(self) -> str:
        return f"{self._options.name}: downstream_expert.other"

    def _load(self, given: Mapping[str, Any], device: str | torch.device) -> SecondUpstream:
        """The model of the same pass."""
        try:
            return second_upstream.load(given["upstream"], given.get("checkpoint"), given.get("options") or {}, device)
        except UserError as error:
            raise UserError(f"{self._where}: {error}") from None
