"""The section `pretrain_expert.datarc`: which speech, which units, and how much of it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from s3prl_plugin import ranks
from s3prl_plugin.config.schema import ConfigSection, Counted, Positive, Share, Whole
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.batches import DurationBatches
from s3prl_plugin.pretraining.data.reading import ReadAhead
from s3prl_plugin.pretraining.data.sources import open_speech
from s3prl_plugin.pretraining.data.utterances import Cropping, Speech


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions(ConfigSection):
    """What is trained on; sizes as fairseq calls them.

    Attributes:
        corpus: a corpus or a list of files (`.tsv`), see `sources.open_speech`.
        units: files of units (`.km`): one, or one for each resolution.
        valid_corpus, valid_units: the same for validation; without them there is none.
        batch_seconds: audio in a batch of one process, padding included.
        min_sample_size, max_sample_size, max_keep_size: in samples: a shorter utterance is left out, a longer one is
            cropped, or left out.
        random_crop: crops begin anywhere, elsewhere in every epoch.
        perturbed: in training, the share of utterances that are heard through a random filter, reverberation and noise,
            drawn anew in every epoch; their units stay. See `perturbing`.
        threads: that read audio ahead; 0 reads when it is asked for.
    """

    corpus: str = ""
    units: str | Sequence[str] = ()
    valid_corpus: str | None = None
    valid_units: str | Sequence[str] = ()
    batch_seconds: Positive = 87.5
    min_sample_size: Whole = 400
    max_sample_size: Counted | None = 250_000
    max_keep_size: Counted | None = None
    random_crop: bool = True
    perturbed: Share = 0.0
    threads: Whole = 1

    def check_together(self) -> None:
        """Refuse a training on nothing."""
        if not self.corpus:
            raise UserError("corpus: missing; name a corpus or a list of audio files (.tsv)")


def open_loaders(
    datarc: Mapping[str, Any] | DataOptions,
    *,
    strides: Sequence[int],
    label_rates: Sequence[float],
    normalize: bool = False,
    seed: int = 0,
) -> tuple[ReadAhead, ReadAhead | None]:
    """The batches to train on, this process's share of them, and those to validate on.

    Args:
        datarc: the section.
        strides: per set of units, the samples of a frame; crops begin at multiples of the longest.
        label_rates: per set of units, units per second.
        normalize: waveforms are layer-normalised.
        seed: of order and crops.

    Raises:
        UserError: the speech or its units cannot be used.
    """
    options = datarc if isinstance(datarc, DataOptions) else DataOptions(**datarc)
    cropping = Cropping(
        min_samples=options.min_sample_size,
        max_samples=options.max_sample_size,
        max_kept_samples=options.max_keep_size,
        random=options.random_crop,
        seed=seed,
    )

    def opened(corpus: str, units: str | Sequence[str], cropping: Cropping) -> ReadAhead:
        units = [units] if isinstance(units, str) else units
        speech: Speech = open_speech(
            corpus,
            units,
            strides=strides[: max(1, len(units))],
            label_rates=label_rates[: max(1, len(units))],
            cropping=cropping,
            normalize=normalize,
            step=max(strides),
        )
        batches = DurationBatches(speech.durations_s, options.batch_seconds, seed, ranks.mine(), ranks.count())
        return ReadAhead(speech, batches, options.threads)

    training = opened(options.corpus, options.units, replace(cropping, perturbed=options.perturbed))
    if not options.valid_corpus:
        return training, None
    return training, opened(options.valid_corpus, options.valid_units, cropping)
