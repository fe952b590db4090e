"""Units of frames in text files, as fairseq's pre-training reads and its simple_kmeans writes them.

train.km      one line per utterance of train.tsv: a unit per frame, separated by spaces
dict.km.txt   one line per unit: its name and a count; the position of the line is the unit's number
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import SAMPLE_RATE

TOLERANCE_S = 0.1
"""By how much units may be longer or shorter than the audio: fairseq's figure, which warns where this refuses."""


@dataclass(frozen=True, eq=False)
class UtteranceUnits:
    """One set of units for the utterances of a corpus.

    Attributes:
        classes: K, of which each unit is one.
        stride: samples from one unit to the next.
        values: all units, one utterance after the other, 0 <= number < K.
        offsets: (U + 1,) where each utterance's units begin; an empty stretch says that it has none.
    """

    classes: int
    stride: int
    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def gathered(cls, sequences: Sequence[np.ndarray | None], classes: int, stride: int) -> UtteranceUnits:
        """From the units of each utterance, (T,) integers; None where it has none."""
        small = np.uint16 if classes <= 1 << 16 else np.int64  # a thousand hours have 180 million units
        kept = [sequence.astype(small) for sequence in sequences if sequence is not None]
        lengths = [0 if sequence is None else len(sequence) for sequence in sequences]
        return cls(classes, stride, np.concatenate([np.zeros(0, small), *kept]), np.cumsum([0, *lengths]))

    def known(self, position: int) -> bool:
        """Whether an utterance has units."""
        return bool(self.offsets[position + 1] > self.offsets[position])

    def sequence(self, position: int) -> np.ndarray:
        """(T,) the units of an utterance."""
        return self.values[self.offsets[position] : self.offsets[position + 1]]

    def within(self, position: int, start: int, samples: int) -> Tensor:
        """(T,) int64: the units of a part of an utterance.

        Args:
            position: of the utterance.
            start: its first sample, a multiple of the stride.
            samples: its length; a unit that begins within it counts, so that there may be one more than frames.
        """
        first = start // self.stride
        part = self.sequence(position)[first : first - (-samples // self.stride)]
        return torch.from_numpy(part.astype(np.int64))

    def at_stride(self, stride: int) -> UtteranceUnits:
        """The same units at another rate: every nth one at a lower rate, repeats at a higher one.

        fairseq decimates too: its units of MFCC frames come every 10 ms, and each frame of 20 ms has the first of two.

        Raises:
            UserError: neither stride is a multiple of the other.
        """
        if stride == self.stride:
            return self
        if stride % self.stride and self.stride % stride:
            raise UserError(
                f"units every {self.stride} samples cannot serve a network of {stride} samples a frame: one must be a "
                "multiple of the other; check label_rate"
            )
        sequences = [self.sequence(i) for i in range(len(self.offsets) - 1)]
        if stride > self.stride:
            changed = [each[:: stride // self.stride] for each in sequences]
        else:
            changed = [each.repeat(self.stride // stride) for each in sequences]
        offsets = np.cumsum([0, *map(len, changed)])
        return replace(self, stride=stride, values=np.concatenate(changed), offsets=offsets)


def read(path: Path, samples: Sequence[int], stride: int, rows: Sequence[int] | None = None) -> UtteranceUnits:
    """Read a file of units, with the dictionary beside it.

    Args:
        path: such as labels/train.km; the dictionary is labels/dict.km.txt.
        samples: per line, of its utterance at 16 kHz; None where that utterance is not wanted.
        stride: samples from one unit to the next.
        rows: of the utterances of a corpus, in order, the line of each, or -1 for none; by default line by line.

    Raises:
        UserError: a file is missing, has too few or too many lines, names a unit that the dictionary lacks, or has
            units for more or less audio than there is; the message names the line.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the file of units that belongs to the list of audio files")
    numbers = read_dictionary(dictionary_path(path))
    sequences: list[np.ndarray] = []
    for line, text in _lines(path):
        if line > len(samples):
            raise UserError(f"{path}, line {line}: there are only {len(samples)} utterances; write the units anew")
        sequence = _numbers(path, line, text, numbers)
        _check_length(path, line, len(sequence) * stride, samples[line - 1])
        sequences.append(sequence)
    if len(sequences) < len(samples):
        raise UserError(f"{path}: {len(sequences)} lines for {len(samples)} utterances; write the units anew")
    chosen = range(len(sequences)) if rows is None else rows
    return UtteranceUnits.gathered([sequences[row] if row >= 0 else None for row in chosen], len(numbers), stride)


def dictionary_path(path: Path) -> Path:
    """The dictionary of a file of units: dict.km.txt for train.km."""
    return path.with_name(f"dict.{path.suffix.removeprefix('.')}.txt")


def read_dictionary(path: Path) -> dict[str, int]:
    """The number of each unit by its name.

    Raises:
        UserError: there is none, it is empty, or it names a unit twice.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; write a line for every unit, its name and a count: `0 1`, `1 1`, ...")
    numbers: dict[str, int] = {}
    for line, text in _lines(path):
        name = text.split(" ")[0]
        if not name or name in numbers:
            raise UserError(f"{path}, line {line}: {text!r}: give each unit one line, `NAME COUNT`")
        numbers[name] = len(numbers)
    if not numbers:
        raise UserError(f"{path}: empty; write a line for every unit: `0 1`, `1 1`, ...")
    return numbers


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers, from 1."""
    try:
        with path.open(encoding="utf-8") as file:
            for line, text in enumerate(file, 1):
                yield line, text.strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); write it anew") from None


def _numbers(path: Path, line: int, text: str, numbers: dict[str, int]) -> np.ndarray:
    """(T,) the units of a line."""
    try:
        return np.array([numbers[name] for name in text.split()], dtype=np.int64)
    except KeyError as error:
        raise UserError(
            f"{path}, line {line}: unit {error.args[0]!r} is not in {dictionary_path(path).name}; add it there, or "
            "give the dictionary that belongs to these units"
        ) from None


def _check_length(path: Path, line: int, unit_samples: int, samples: int) -> None:
    """Refuse units that are not those of the audio."""
    if abs(unit_samples - samples) > TOLERANCE_S * SAMPLE_RATE:
        raise UserError(
            f"{path}, line {line}: units for {unit_samples / SAMPLE_RATE:.2f} s and audio of "
            f"{samples / SAMPLE_RATE:.2f} s; check label_rate, or write the units anew"
        )
