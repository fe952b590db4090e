"""Sampled frames of one model on disk, for runs of other models over the same corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass.saved_pass import FOLDER
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.other_models.sampled import Sampler
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import SAMPLE_RATE, Stride, ms_text

FILE_NAME = "frames.pt"
OWN = "own"  # the grid of which every tap has its own


class KeptFrames:
    """What the option `save_frames` asks for: it is written when the scores are, and gives no rows.

    Args:
        sampler: of the run.
        strides: of the grids that are kept, in samples; None for the taps' own.
        folder: of the run.
        upstream: the name of its model.
    """

    def __init__(self, sampler: Sampler, strides: Sequence[Stride | None], folder: str | Path, upstream: str):
        self.path = Path(folder) / FOLDER / FILE_NAME
        self.upstream = upstream
        self._sampler = sampler
        self._reservoirs = {stride: sampler.own(stride) for stride in strides}

    def __len__(self) -> int:
        """One step of the progress bar."""
        return 1

    def compute(self) -> Iterator[list[Row]]:
        """Write the file."""
        plan, taps = self._sampler.gathering.plan, self._sampler.taps
        one = next(iter(self._reservoirs.values()))
        rows = one.rows()
        frames = {
            OWN if stride is None else stride: {
                tap.name: torch.from_numpy(reservoir.frames(k, rows))
                for k, tap in enumerate(taps)
                if stride is None or tap.stride <= stride
            }
            for stride, reservoir in self._reservoirs.items()
        }
        content = {
            "upstream": self.upstream,
            **_decided(plan),
            "utterance": torch.from_numpy(one.utterance),
            "moment": torch.from_numpy(one.moment),
            "rows": torch.from_numpy(rows),
            "taps": [tap.written() for tap in taps],
            "frames": frames,
        }
        with results.replacing(self.path) as file:
            torch.save(content, file)
        yield []


class SavedFrames:
    """The frames that a run of another model kept.

    Args:
        folder: of that run.
        plan: of this one.
        reservoir: of this run; the saved frames must be of its rows.

    Attributes:
        name: of the other model.
        taps: of it.

    Raises:
        UserError: there are no frames, or they are of another corpus, other folds or other moments.
    """

    def __init__(self, folder: str | Path, plan: Plan, reservoir: FrameReservoir):
        self.path = Path(folder) / FOLDER / FILE_NAME
        if not self.path.is_file():
            raise UserError(
                f"other.saved: {self.path} does not exist; run the other model with save_frames: true, and name its "
                "folder (-p)"
            )
        content = _read(self.path)
        for key, mine in _decided(plan).items():
            if content[key] != mine:
                raise UserError(
                    f"{self.path} is of a run with another {key} ({content[key]!r}, here {mine!r}); both models need "
                    "the same corpus, seed, split_by and shared_texts"
                )
        if not all(np.array_equal(content[key].numpy(), getattr(reservoir, key)) for key in ("utterance", "moment")):
            raise UserError(
                f"{self.path} has frames of other moments; both runs need the same sampled_per_utterance and "
                "sampled_frames"
            )
        self.name: str = content["upstream"]
        self.taps = tuple(Tap.read(tap) for tap in content["taps"])
        self._rows: np.ndarray = content["rows"].numpy()
        self._frames: dict[Stride | str, dict[str, torch.Tensor]] = content["frames"]

    def rows(self) -> np.ndarray:
        """(n,) numbers of the rows that were kept, increasing."""
        return self._rows

    def frames(self, tap: int, rows: np.ndarray, stride: Stride | None = None) -> np.ndarray:
        """The frames of some rows at one tap.

        Args:
            tap: its position.
            rows: numbers of rows that were kept.
            stride: of the cells that they are averaged over; None for the tap's own frames.

        Returns:
            (n, D) float32.

        Raises:
            Refused: they were not kept at that frame rate.
        """
        asked = self.taps[tap]
        stride = stride or asked.stride
        grids: list[Stride | str] = [OWN, stride] if stride == asked.stride else [stride]
        for grid in grids:
            if asked.name in self._frames.get(grid, {}):
                return self._frames[grid][asked.name].numpy()[np.searchsorted(self._rows, rows)]
        ms, own = ms_text(stride), ms_text(asked.stride)
        raise Refused(
            f"the saved frames of {asked.name} are not averaged over {ms} ms; save_frames: [{own}, {ms}] in the "
            f"run of {self.name} would help"
        )


class SavedGrid:
    """Saved frames at one frame rate, as a reservoir gives them.

    Args:
        saved: the frames.
        stride: of the cells that they are averaged over, in samples.
    """

    def __init__(self, saved: SavedFrames, stride: Stride):
        self._saved = saved
        self._stride = stride

    def rows(self) -> np.ndarray:
        """See `SampledFrames`."""
        return self._saved.rows()

    def frames(self, tap: int, rows: np.ndarray) -> np.ndarray:
        """See `SampledFrames`; refused where they were not kept at this frame rate."""
        return self._saved.frames(tap, rows, self._stride)


def wanted_grids(options: Options) -> list[Stride | None]:
    """The grids that `save_frames` asks for, in samples (None: the taps' own); empty where it asks for nothing.

    Raises:
        UserError: it cannot be used.
    """
    given = options["save_frames"]
    if isinstance(given, bool):
        return [None] if given else []
    strides = [ms * SAMPLE_RATE / 1000 for ms in given]
    if not all(float(stride).is_integer() for stride in strides):
        raise options.error("save_frames", "a list of whole numbers of samples in milliseconds, such as [20, 40]")
    return [int(stride) for stride in dict.fromkeys(strides)]


def _decided(plan: Plan) -> dict[str, Any]:
    """What must be the same in two runs whose frames are compared."""
    return {"corpus": plan.corpus.name, "seed": plan.seed, "folds_id": plan.folds_id}


def _read(path: Path) -> Mapping[str, Any]:
    """The file's content, its frames left on disk until they are used."""
    try:
        content = torch.load(path, map_location="cpu", mmap=True)
        content["folds_id"], content["frames"]
    except Exception as error:  # a damaged file can fail in any part of the reader
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path}: these frames cannot be read ({reason}); run the other model again") from None
    return content
