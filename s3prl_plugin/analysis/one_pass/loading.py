"""The waveforms of an analysis in batches: the same batches every time, and a bad file is a counted skip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.corpora.skips import Skips

BATCH_SECONDS = 60.0

_Loaded = tuple[int, np.ndarray | None, str]


class Numbered(NamedTuple):
    """A batch that was read.

    Attributes:
        number: of the batch, from 0.
        waveforms: (L,) float32 at 16 kHz each; of the utterances that can be used.
        positions: of these utterances in the corpus.
    """

    number: int
    waveforms: list[np.ndarray]
    positions: list[int]


class Waveforms:
    """Batches of utterances, fold by fold, the longest of a fold first.

    The utterances of a batch are of one fold, so that its rows make few and large products, and of similar length.
    What cannot be used is left out of its batch and noted in `skips`.

    Args:
        utterances: of a corpus.
        positions: which of them.
        fold: (U,) the fold of every utterance of the corpus.
        batch_size: utterances in a batch at most; None for no limit.
        num_workers: processes that read ahead; 0 reads in this one.
        skips: where skipped utterances are noted.
        batch_seconds: of audio in a batch at most, padding included; a longer utterance is a batch alone.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        positions: Sequence[int],
        fold: np.ndarray,
        batch_size: int | None,
        num_workers: int,
        skips: Skips,
        batch_seconds: float = BATCH_SECONDS,
    ):
        self.utterances = utterances
        self.skips = skips
        ordered = sorted((int(p) for p in positions), key=lambda p: (-utterances[p].duration_s, utterances[p].name))
        self.batches: list[list[int]] = []
        for number in np.unique(fold):
            mine = [p for p in ordered if fold[p] == number]
            while mine:  # the first is the longest
                many = max(1, int(batch_seconds / utterances[mine[0]].duration_s))
                many = many if batch_size is None else min(many, batch_size)
                self.batches.append(mine[:many])
                mine = mine[many:]
        self.num_workers = num_workers

    def __len__(self) -> int:
        """The number of batches, counting those in which no utterance can be used."""
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[list[np.ndarray], list[int]]]:
        """Waveforms and positions of every batch, as s3prl's runner takes them; never an empty batch."""
        for batch in self.read(range(len(self))):
            if batch.positions:
                yield batch.waveforms, batch.positions

    def read(self, numbers: Sequence[int]) -> Iterator[Numbered]:
        """Some of the batches, also those in which no utterance can be used.

        Args:
            numbers: which, in the order wanted.
        """
        loader: DataLoader[_Loaded] = DataLoader(
            _Files(self.utterances),
            batch_sampler=[self.batches[number] for number in numbers],
            collate_fn=list,
            num_workers=self.num_workers,
            generator=torch.Generator().manual_seed(0),  # its own, so that reading leaves the global one alone
        )
        for number, loaded in zip(numbers, loader, strict=True):
            good = [(wave, position) for position, wave, _ in loaded if wave is not None]
            for position, wave, reason in loaded:
                if wave is None:
                    self.skips.add(reason, self.utterances[position].name)
            yield Numbered(number, [wave for wave, _ in good], [position for _, position in good])


class _Files(Dataset[_Loaded]):
    """Reads one utterance; what is wrong with it comes back as a reason, since workers are other processes."""

    def __init__(self, utterances: Sequence[Utterance]):
        self.utterances = utterances

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, position: int) -> _Loaded:
        try:
            return position, audio.load(self.utterances[position]), ""
        except audio.BadAudio as bad:
            return position, None, bad.reason
