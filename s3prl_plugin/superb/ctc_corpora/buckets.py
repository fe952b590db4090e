"""Utterances in buckets of similar length, as s3prl's `ctc` downstream takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

Item = tuple[Path, list[int]]


class Buckets(Dataset):
    """Audio files with their labels, sorted by the number of labels.

    An item is a bucket: the utterances from its position on, so that neighbouring items overlap and an epoch has as
    many items as there are utterances (which is what SUPERB's numbers of steps are for).

    Args:
        utterances: audio file and labels.
        bucket_size: utterances in an item; 1 gives single utterances, not lists of one.
        ascending: the shortest first.
    """

    def __init__(self, utterances: Sequence[Item], bucket_size: int, ascending: bool = False):
        self.utterances = sorted(sorted(utterances), key=lambda item: len(item[1]), reverse=not ascending)
        self.bucket_size = bucket_size

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Item | list[Item]:
        if self.bucket_size == 1:
            return self.utterances[index]
        first = max(0, min(index, len(self) - self.bucket_size))
        return self.utterances[first : first + self.bucket_size]
