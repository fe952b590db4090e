"""Waveforms as a model takes them: at its own rate, through its own feature extractor, in windows if need be."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from s3prl_plugin.errors import UserError
from s3prl_plugin.states import waveform_normalisation
from s3prl_plugin.strides import SAMPLE_RATE

MASKS = ("attention_mask", "padding_mask", "input_features_mask")


class Hearing:
    """Runs a model on waveforms.

    Args:
        root: the part of the model that hears; it is called.
        extractor: transformers' feature extractor of the model; None where the network takes waveforms at 16 kHz, and
            their lengths if its second argument is called so.
        windowed: the model hears a window of fixed length.
        mask: what keeps audio from the padding of a window, see families.yaml.

    Attributes:
        rate: samples per second that the model takes.
        window: of its own samples; None where any length will do.
        frames: of the extractor's features in a window.
        most: of its own samples at once, what is longer would be cut off; None where any length will do.
        prepared_by: what makes features of waveforms, in words.
    """

    def __init__(self, root: nn.Module, extractor: Any, windowed: bool = False, mask: str | None = None):
        self.root, self._mask = root, mask
        self.rate = SAMPLE_RATE if extractor is None else int(extractor.sampling_rate)
        self.window: int | None = int(extractor.n_samples) if windowed else None
        self.frames: int | None = int(extractor.nb_max_frames) if windowed else None
        self.most: int | None = getattr(extractor, "n_samples", None)
        self._extractor = extractor
        self._takes = list(inspect.signature(root.forward).parameters)
        self._asks = set(inspect.signature(type(extractor).__call__).parameters) if extractor is not None else set()

    @property
    def prepared_by(self) -> str:
        """What makes features of waveforms, in words."""
        if self._extractor is None:
            return "the model itself"
        return type(self._extractor).__name__

    @cached_property
    def normalisation(self) -> str | None:
        """What the extractor does with waveforms; see `waveform_normalisation`."""
        return None if self._extractor is None else waveform_normalisation.of_extractor(self._extractor)

    @property
    def window_samples(self) -> int | None:
        """Samples at 16 kHz in a window."""
        return None if self.window is None else self.window * SAMPLE_RATE // self.rate

    def resampled(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Waveforms at 16 kHz, at the model's own rate."""
        if self.rate == SAMPLE_RATE:
            return list(waveforms)
        import torchaudio

        return [torchaudio.functional.resample(wave, SAMPLE_RATE, self.rate) for wave in waveforms]

    def __call__(self, waveforms: Sequence[Tensor]) -> Any:
        """Call the model.

        Args:
            waveforms: (L,) each, at the model's own rate.
        """
        args, kwargs = self._inputs(waveforms)
        return self.root(*args, **kwargs)

    def _inputs(self, waveforms: Sequence[Tensor]) -> tuple[list[Tensor], dict[str, Tensor]]:
        """What the model is called with."""
        parameter = next(self.root.parameters())
        device, dtype = parameter.device, parameter.dtype
        if self._extractor is None:
            padded = torch.nn.utils.rnn.pad_sequence(list(waveforms), batch_first=True).to(device, dtype)
            counts = torch.tensor([len(wave) for wave in waveforms], device=device)
            return [padded, *([counts] if self._takes[1:2] and "len" in self._takes[1] else [])], {}
        options: dict[str, Any] = {"sampling_rate": self.rate, "return_tensors": "pt"}
        if "return_attention_mask" in self._asks:
            options["return_attention_mask"] = True
        options["padding"] = "max_length" if self.window is not None else True
        found = self._extractor([wave.detach().cpu().numpy() for wave in waveforms], **options)
        name = self._extractor.model_input_names[0]
        main = found[name].to(device, dtype)
        if self.window is not None:
            return [main], self._masks_in_window(found, main)
        return [main], {key: found[key].to(device) for key in MASKS if key in found and key in self._takes}

    def _masks_in_window(self, found: Mapping[str, Tensor], main: Tensor) -> dict[str, Tensor]:
        """What keeps the audio from the padding behind it."""
        if self._mask is None:
            return {}
        mask = found["attention_mask"].to(main.device)
        if self._mask == "features":
            return {"input_features_mask": mask}
        valid = mask[:, ::2, None, None].bool().movedim(1, -1)  # (B, 1, 1, T): a layer has every other frame
        return {
            "attention_mask": torch.zeros_like(valid, dtype=main.dtype).masked_fill(~valid, torch.finfo(main.dtype).min)
        }

    def check_length(self, samples: int, cut: bool) -> None:
        """Refuse audio that is longer than the model hears at once.

        Args:
            samples: at 16 kHz.
            cut: it may be cut into windows.
        """
        if self.most is None or samples * self.rate <= self.most * SAMPLE_RATE or (cut and self.window is not None):
            return
        cure = ", or set the option longer: cut (its states near a cut lack what lies behind it)"
        raise UserError(
            f"an utterance of {samples / SAMPLE_RATE:.1f} s: this model hears {self.most / self.rate:g} s at once; "
            f"leave it out{cure if self.window is not None else ' or cut it'}"
        )
