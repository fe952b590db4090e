"""The waveforms of an analysis in batches: the same batches every time, and a bad file is a counted skip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.corpora.skips import Skips

_Loaded = tuple[int, np.ndarray | None, str]


class Waveforms:
    """Batches of utterances, the longest first.

    Neighbours in a batch are of similar length, and whatever does not fit into memory does not fit at the start. What
    cannot be used is left out of its batch and noted in `skips`.

    Args:
        utterances: of a corpus.
        positions: which of them.
        batch_size: utterances in a batch.
        num_workers: processes that read ahead; 0 reads in this one.
        skips: where skipped utterances are noted.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        positions: Sequence[int],
        batch_size: int,
        num_workers: int,
        skips: Skips,
    ):
        self.utterances = utterances
        self.skips = skips
        ordered = sorted((int(p) for p in positions), key=lambda p: (-utterances[p].duration_s, utterances[p].name))
        self.batches = [ordered[i : i + batch_size] for i in range(0, len(ordered), batch_size)]
        self.num_workers = num_workers

    def __len__(self) -> int:
        """The number of batches, counting those in which no utterance can be used."""
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[list[np.ndarray], list[int]]]:
        """Waveforms, (L,) float32 at 16 kHz each, and their positions in the corpus; never an empty batch."""
        loader: DataLoader[_Loaded] = DataLoader(
            _Files(self.utterances),
            batch_sampler=self.batches,
            collate_fn=list,
            num_workers=self.num_workers,
            generator=torch.Generator().manual_seed(0),  # its own, so that reading leaves the global one alone
        )
        for loaded in loader:
            good = [(wave, position) for position, wave, _ in loaded if wave is not None]
            for position, wave, reason in loaded:
                if wave is None:
                    self.skips.add(reason, self.utterances[position].name)
            if good:
                yield [wave for wave, _ in good], [position for _, position in good]


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
