"""What a pre-training step sees: utterances, cropped to a length, and the units of their frames."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.corpora.skips import Skips, lines
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.perturbing import perturbed
from s3prl_plugin.pretraining.data.unit_files import UtteranceUnits
from s3prl_plugin.random_state import derived_seed
from s3prl_plugin.states.taps import SAMPLE_RATE

PADDING = -1
"""Stands where a batch has no unit."""

WITHOUT_UNITS = "no units for it"


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance, or a crop of one.

    Attributes:
        name: of the utterance.
        waveform: (L,) float32 samples at 16 kHz.
        units: per set of units, (T,) int64; empty without units.
    """

    name: str
    waveform: Tensor
    units: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Examples side by side.

    Attributes:
        names: of the utterances.
        waveforms: (B, L) float32, zero past each one's end.
        lengths: the samples of each.
        units: per set of units, (B, T) int64, `PADDING` past each one's end.
    """

    names: tuple[str, ...]
    waveforms: Tensor
    lengths: list[int]
    units: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        """The number of utterances."""
        return len(self.names)

    @property
    def duration_s(self) -> float:
        """Seconds of audio, padding not counted."""
        return sum(self.lengths) / SAMPLE_RATE


def collate(examples: Sequence[Example]) -> TrainingBatch:
    """Examples as a batch; all have the same sets of units."""
    sets = zip(*(example.units for example in examples), strict=True)
    return TrainingBatch(
        names=tuple(example.name for example in examples),
        waveforms=pad_sequence([example.waveform for example in examples], batch_first=True),
        lengths=[len(example.waveform) for example in examples],
        units=tuple(pad_sequence(list(each), batch_first=True, padding_value=PADDING) for each in sets),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cropping:
    """Which part of an utterance is seen.

    Attributes:
        min_samples: a shorter utterance is left out.
        max_samples: a longer one is cropped to so many; None for no limit.
        max_kept_samples: a longer one is left out; None for no limit.
        random: the crop begins anywhere, in every epoch elsewhere; otherwise at the utterance's start.
        seed: decides where, with the epoch and the utterance's name and nothing else.
        perturbed: the share of utterances that are heard through a random channel, another one in every epoch; see
            `perturbing`.
    """

    min_samples: int = audio.MIN_SAMPLES
    max_samples: int | None = 250_000
    max_kept_samples: int | None = None
    random: bool = True
    seed: int = 0
    perturbed: float = 0.0

    def __post_init__(self) -> None:
        if self.min_samples < audio.MIN_SAMPLES:
            raise UserError(f"min_sample_size {self.min_samples}: one frame takes {audio.MIN_SAMPLES} samples")
        for name, value in (("max_sample_size", self.max_samples), ("max_keep_size", self.max_kept_samples)):
            if value is not None and value < self.min_samples:
                raise UserError(f"{name} {value} is below min_sample_size {self.min_samples}; give more")

    def why_left_out(self, samples: int) -> str | None:
        """The reason why an utterance of so many samples is not used; None where it is."""
        if samples < self.min_samples:
            return f"shorter than {self.min_samples} samples ({self.min_samples / SAMPLE_RATE:g} s)"
        if self.max_kept_samples is not None and samples > self.max_kept_samples:
            return f"longer than {self.max_kept_samples} samples ({self.max_kept_samples / SAMPLE_RATE:g} s)"
        return None

    def kept(self, samples: int) -> int:
        """How many of an utterance's samples are seen."""
        return samples if self.max_samples is None else min(samples, self.max_samples)

    def start(self, name: str, samples: int, epoch: int, step: int) -> int:
        """The first sample that is seen, a multiple of `step`, so that frames stay what they were.

        HuBERT crops at any sample and takes the nearest unit, which is up to half a frame off.
        """
        places = (samples - self.kept(samples)) // step + 1
        if not self.random or places == 1:
            return 0
        drawn = hashlib.blake2b(f"{self.seed} {epoch} {name}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn) % places * step

    def heard(self, name: str, waveform: Tensor, epoch: int) -> Tensor:
        """An utterance's waveform, (L,), as it sounds in an epoch."""
        draw = np.random.default_rng(derived_seed(self.seed, "perturbed", epoch, name))
        return perturbed(waveform, draw) if draw.random() < self.perturbed else waveform


class Speech(Dataset[Example]):
    """Utterances that can be trained on, with the units of their frames.

    Args:
        utterances: of a corpus.
        units: sets of units, each for all of these utterances.
        cropping: which part of each is seen; `Cropping()` when None.
        normalize: every waveform is layer-normalised over all of its samples, as large models are trained.
        step: crops begin at multiples of so many samples; at least of the longest stride among the units.

    Attributes:
        skipped: what was left out, and why.

    Raises:
        UserError: none of the utterances can be used.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        units: Sequence[UtteranceUnits] = (),
        cropping: Cropping | None = None,
        normalize: bool = False,
        step: int = 1,
    ):
        self.units = tuple(units)
        self.cropping = cropping or Cropping()
        self.normalize = normalize
        self.step = math.lcm(step, *(each.stride for each in self.units))
        self.skipped = Skips()
        self._epoch = 0
        self._used: list[tuple[int, Utterance]] = []
        for position, utterance in enumerate(utterances):
            reason = self._why_left_out(position, utterance)
            if reason is None:
                self._used.append((position, utterance))
            else:
                self.skipped.add(reason, utterance.name)
        if not self._used:
            raise UserError(f"no utterance can be trained on; {'; '.join(self.lines()) or 'there is none'}")

    def __len__(self) -> int:
        """The number of utterances that are used."""
        return len(self._used)

    @property
    def durations_s(self) -> list[float]:
        """Per utterance, the seconds of it that are seen."""
        return [self.cropping.kept(_samples(utterance)) / SAMPLE_RATE for _, utterance in self._used]

    @property
    def classes(self) -> tuple[int, ...]:
        """Per set of units, how many there are."""
        return tuple(each.classes for each in self.units)

    def lines(self) -> list[str]:
        """What was left out and why, for the user."""
        return lines(self.skipped)

    def set_epoch(self, epoch: int) -> None:
        """Crop as in this epoch from now on; call it before the epoch's first example is asked for."""
        self._epoch = epoch

    def __getitem__(self, index: int) -> Example:
        """One utterance, as it is seen in the present epoch.

        Raises:
            UserError: its audio cannot be read, or is not as long as was announced.
        """
        position, utterance = self._used[index]
        waveform = torch.from_numpy(audio.load(utterance))
        stated = _samples(utterance)
        if abs(len(waveform) - stated) > 1:  # resampling may round the other way
            raise UserError(
                f"{utterance.audio}: {len(waveform)} samples at 16 kHz where {stated} were announced; "
                "write the list of files anew"
            )
        if self.cropping.perturbed:
            waveform = self.cropping.heard(utterance.name, waveform, self._epoch)
        if self.normalize:
            waveform = F.layer_norm(waveform, waveform.shape)
        start = self.cropping.start(utterance.name, stated, self._epoch, self.step)
        cropped = waveform[start : start + self.cropping.kept(stated)]
        units = tuple(each.within(position, start, len(cropped)) for each in self.units)
        return Example(utterance.name, cropped, units)

    def _why_left_out(self, position: int, utterance: Utterance) -> str | None:
        """The reason why an utterance is not used; None where it is."""
        if not all(each.known(position) for each in self.units):
            return WITHOUT_UNITS
        return self.cropping.why_left_out(_samples(utterance))


def _samples(utterance: Utterance) -> int:
    """The length of an utterance's audio, as its corpus says."""
    return round(utterance.duration_s * SAMPLE_RATE)
