"""What the option `write_features` asks for: whole utterances of every tap, and item files, for other ABX tools.

EXPDIR/features/TAP/UTTERANCE.pt holds (T, D) float32; EXPDIR/features/NAME.item the drawn tokens that all taps keep.
Files of an utterance are written as it comes by, so nothing of them is kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.abx import items
from s3prl_plugin.downstream.abx.items import Item
from s3prl_plugin.downstream.abx.measures import Discrimination
from s3prl_plugin.downstream.abx.task import Task
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import SAMPLE_RATE

FOLDER = "features"


class WholeUtterances:
    """Both what is gathered, on disk, and the measure that writes the item files.

    Args:
        expdir: of the run.
        taps: whose frames are written.
        plan: of the run.
        measures: whose tokens the item files hold.
    """

    def __init__(self, expdir: str | Path, taps: Sequence[Tap], plan: Plan, measures: Sequence[Discrimination]):
        self.folder = Path(expdir) / FOLDER
        self.taps = tuple(taps)
        self._plan = plan
        self._measures = tuple(measures)

    @property
    def memory_bytes(self) -> int:
        """Nothing is kept."""
        return 0

    def describe(self) -> str:
        """That they are files of the run."""
        return "files"

    def update(self, batch: Batch) -> None:
        """Write the utterances of a batch."""
        for i, position in enumerate(batch.positions):
            name = self._plan.corpus.utterances[position].name
            for k, tap in enumerate(self.taps):
                with results.replacing(self.folder / tap.name / f"{name}.pt") as file:
                    torch.save(batch.frames(i, k).cpu().clone(), file)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the files are there."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing."""

    def merge(self, state: Mapping[str, Any]) -> None:
        """Nothing: other processes write into the same folder."""

    def __len__(self) -> int:
        """One step."""
        return 1

    def compute(self) -> Iterator[list[Row]]:
        """Write the item files."""
        for measure in self._measures:
            for task in measure.tasks:
                reach = "_in_triphones" if measure.triphones and task.unit == "phone" else ""
                found = self._items(task, measure)
                if found:
                    items.write(self.folder / f"{task.unit}{reach}_{task.context}.item", found)
        yield []

    def _items(self, task: Task, measure: Discrimination) -> list[Item]:
        of, found = task.candidates, []
        for i in measure.common(task).tolist():
            utterance = self._plan.corpus.utterances[of.utterance[i]]
            onset, offset = (Fraction(moment.item(i)) / SAMPLE_RATE for moment in (of.start, of.end))
            before, after = ("-", "-") if task.unit == "word" else of.contexts[of.context[i]]
            label, speaker = of.labels[of.label[i]], of.speakers[of.speaker[i]]
            found.append(Item(utterance.name, onset, offset, label, before, after, speaker))
        return found
