"""Which waveforms are worth keeping: those that come again. Random crops differ every time and would fill the store.

Three things tell a crop: it is in the training split and has exactly the length to which the task crops (SID, ASV); or
it bears the name of an utterance that has come with other samples (the silence class of KS). The first are
never kept, the others only if they have been seen before, which the crops of an evaluation are: their seed is the same
every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REMEMBERED = 64  # waveforms per name; more would let names with endless crops fill the memory

Name = tuple[str, ...] | None


class Repeats:
    """What has been seen under which name.

    Args:
        crop_samples: the length of the task's random crops; None where it makes none, or none of a fixed length.
    """

    def __init__(self, crop_samples: int | None = None):
        self._crop_samples = crop_samples
        self._seen: dict[Name, tuple[str, ...]] = {}

    def is_crop(self, samples: int) -> bool:
        """Whether a waveform of the training split has the length to which the task crops."""
        return samples == self._crop_samples

    def expected(self, waveform: str, samples: int, name: Name, *, training: bool) -> bool:
        """Whether a waveform may be expected to come again; it counts as seen from now on.

        Args:
            waveform: a digest of its samples.
            samples: how many.
            name: of the utterance; None where it has none.
            training: whether it belongs to the training split.
        """
        if training and self.is_crop(samples):
            return False
        if name is None:
            return True
        seen = self._seen.get(name, ())
        if waveform in seen:
            return True
        self._seen[name] = (*seen, waveform)[-REMEMBERED:]
        return not seen


class Announced:
    """A dataloader that says what is in a batch before it hands it over.

    Args:
        loader: any of s3prl's; every other attribute is its own.
        announce: is told every batch.
    """

    def __init__(self, loader: Any, announce: Any):
        self._loader = loader
        self._announce = announce

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for batch in self._loader:
            contents = tuple(batch)  # some loaders give a zip, which can be read once
            self._announce(contents)
            yield contents

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def names_in(batch: Sequence[Any], split: str) -> list[Name]:
    """The names of the utterances in a batch of one of s3prl's downstreams.

    Args:
        batch: the waveforms, and lists of what belongs to them; the texts and paths among it make up the names.
        split: to which they belong; one name may mean different utterances in different splits.
    """
    waveforms, *others = batch
    count = len(waveforms)
    lists = [other for other in others if isinstance(other, (list, tuple)) and len(other) == count]
    named = [[str(x) for x in other] for other in lists if all(isinstance(x, (str, Path)) for x in other)]
    return [(split, *names) for names in zip(*named, strict=True)] if named else [None] * count
