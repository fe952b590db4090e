"""Waveforms as upstreams take them, or the reason why one cannot be taken."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.strides import SAMPLE_RATE


def checked(wavs: Sequence[Tensor], shortest: int = 1) -> list[Tensor]:
    """The waveforms of a batch in float32.

    Args:
        wavs: per utterance, (L,) samples at 16 kHz.
        shortest: the fewest samples of an utterance.

    Raises:
        UserError: there are none, or one is too short, not one-dimensional, or not finite.
    """
    if not wavs:
        raise UserError("a batch without waveforms; give at least one")
    for i, wav in enumerate(wavs):
        if wav.dim() != 1 or not wav.is_floating_point():
            shape = " x ".join(map(str, wav.shape))
            raise UserError(f"utterance {i} of the batch is {shape} of {wav.dtype}; give one channel of floats")
        if len(wav) < shortest == 1:
            raise UserError(f"utterance {i} of the batch has no samples; leave it out")
        if len(wav) < shortest:
            raise UserError(
                f"utterance {i} of the batch has {len(wav)} samples; one frame takes {shortest} "
                f"({1000 * shortest / SAMPLE_RATE:g} ms): leave it out or lengthen it"
            )
    waveforms = [wav.float() for wav in wavs]
    if not torch.stack([wav.sum() for wav in waveforms]).isfinite().all():
        bad = next((i for i, wav in enumerate(waveforms) if not wav.isfinite().all()), None)
        if bad is not None:
            raise UserError(f"utterance {bad} of the batch holds NaN or infinite samples; leave it out or mend it")
    return waveforms
