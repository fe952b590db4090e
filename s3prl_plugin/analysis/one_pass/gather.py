"""The pass over a corpus: batch by batch, saved as it goes, shared among processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from s3prl_plugin import ranks, stopping
from s3prl_plugin.analysis.one_pass import memory, saved_pass
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.one_pass.loading import Waveforms
from s3prl_plugin.analysis.one_pass.saved_pass import SavedPass, Shard
from s3prl_plugin.corpora import fingerprint
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import States

SAVES_TAKE = 0.005  # of the time of a pass, at most

StatesOf = Callable[[list[torch.Tensor]], States]
"""Waveforms, (L,) float32 each, -> their States."""


class Pass:
    """One pass over the waveforms of a run, for all its analyses.

    Whole batches are shared out over the parts of a corpus and the processes of torchrun, and a batch is the same
    whatever process computes it. Killed at any moment, the same pass goes on from what it saved last, and ends with the
    same bits.

    Args:
        gathering: what is gathered.
        waveforms: in batches.
        expdir, name: of the run and its downstream; where and under which name it is saved.
        identity: everything that decides what is gathered, for `SavedPass`.
        part: which part of the corpus this run is about.
        every_s: seconds from one save to the next; more where saves would take more than `SAVES_TAKE` of them.
    """

    def __init__(
        self,
        gathering: Gathering,
        waveforms: Waveforms,
        expdir: str | Path,
        name: str,
        identity: Mapping[str, Any],
        part: Shard,
        every_s: float,
    ):
        self.gathering = gathering
        self.waveforms = waveforms
        self.name = name
        self.every_s = every_s
        first, count = part.index * ranks.count(), part.count * ranks.count()
        self._shards = [Shard(first + rank, count) for rank in range(ranks.count())]
        self._saved = [SavedPass(expdir, name, shard, identity) for shard in self._shards]

    def check(self) -> None:
        """Whether what this process saved is of the same pass; nothing where it saved nothing.

        Raises:
            UserError: it is of another run.
        """
        saved = self._saved[ranks.mine()]
        try:
            saved.load()
        except saved_pass.OtherPass as error:
            plan = self.gathering.plan
            changed = fingerprint.changed(plan.known, plan.fingerprints)
            if not changed:
                raise
            files = {u.name: str(u.audio) for u in plan.corpus.utterances}
            said = fingerprint.several([files[name] for name in changed])
            raise UserError(f"{error}. This audio has changed since: {said}") from None

    def run(self, states_of: StatesOf, device: str | torch.device = "cpu") -> None:
        """Gather this process's batches, from where an earlier run of it stopped.

        Args:
            states_of: the upstream.
            device: where it takes waveforms.

        Raises:
            UserError: what was saved is of another run.
        """
        saved, numbers = self._saved[ranks.mine()], self._shards[ranks.mine()].batches(len(self.waveforms))
        before = saved.load()
        done = before["done"] if before else 0
        if before:
            self.gathering.load_state_dict(before["gathered"])
        progress = tqdm(
            total=len(numbers), initial=done, desc=f"{self.name}: pass", unit="batch", dynamic_ncols=True,
            disable=not ranks.leads(),
        )  # fmt: skip
        written, save_s = time.monotonic(), 0.0
        with stopping.between_steps() as asked, progress:
            batches = iter(self.waveforms.read(numbers[done:]))
            while not asked:
                try:
                    batch = next(batches, None)
                except RuntimeError:
                    if asked:  # the processes that read were stopped, too
                        break
                    raise
                if batch is None:
                    break
                if batch.positions:
                    waveforms = [torch.from_numpy(wave).to(device) for wave in batch.waveforms]
                    self._take(states_of(waveforms), batch.positions)  # its states are gone before the next ones come
                    memory.give_back()
                done += 1
                progress.update()
                begun = time.monotonic()
                if begun - written > max(self.every_s, save_s / SAVES_TAKE):
                    saved.save(self.gathering, done)
                    written = time.monotonic()
                    save_s = written - begun
        if not before or before["done"] < done:
            saved.save(self.gathering, done)
        if asked and done < len(numbers):
            print(f"[{self.name}] the pass is saved after {done} of {len(numbers)} batches", flush=True)
            asked.stop()

    def _take(self, states: States, positions: Sequence[int]) -> None:
        """One batch."""
        self.gathering.update(Batch(states, positions, self.gathering.plan))

    def collect(self) -> None:
        """Wait for the other processes, and add what they gathered, in their order.

        Raises:
            UserError: one of them has ended.
        """
        ranks.wait()
        if ranks.leads():
            for saved in self._saved[1:]:
                other = saved.load()
                assert other is not None  # every process saves before it waits
                self.gathering.merge(other["gathered"])

    def remove(self) -> None:
        """Remove what was saved."""
        for saved in self._saved:
            saved.remove()


def merge(gathering: Gathering, folders: Sequence[str | Path], name: str, identity: Mapping[str, Any]) -> None:
    """Gather from what earlier runs over all parts of a corpus saved, without a pass.

    Args:
        gathering: of the same analyses.
        folders: of the runs.
        name: of the downstream.
        identity: everything that decides what is gathered.

    Raises:
        UserError: a part is missing, or is of another run.
    """
    for number, path in enumerate(saved_pass.parts(folders, name)):
        state = saved_pass.read(path, identity)["gathered"]
        if number:
            gathering.merge(state)
        else:
            gathering.load_state_dict(state)
