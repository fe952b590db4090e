"""What stands in for a frozen upstream in a task's runner, and reads features where they are kept.

A batch's other utterances change an utterance's features in the last digits, and which of them are missing depends on
what was kept before. So each that may be kept is computed alone: its features are the same whatever came before,
and whether a run was interrupted or not. Random crops, which are not kept, are computed as the batch that they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from s3prl_plugin.store.kept import Features, Kept
from s3prl_plugin.store.parts import Parts
from s3prl_plugin.store.repeats import Announced, Name, Repeats, names_in


class StoredUpstream(nn.Module):
    """An upstream whose features are kept.

    Utterances count, and are kept, when they come from a dataloader that is watched; anything else (the second of
    noise that s3prl's featurizer begins with) is computed and forgotten. All features are rounded as they are kept, so
    that an utterance has the same in every epoch. Autocasting is off while they are computed, for the same reason.

    Args:
        upstream: the real one.
        parts: of the entry that the task uses.
        kept: where features are kept.
        repeats: knows random crops.
        train_split: what the task calls its training split.
        computed: what is computed and kept where an utterance is missing: more than `parts`, or just these.
    """

    def __init__(
        self,
        upstream: nn.Module,
        parts: Parts,
        kept: Kept,
        repeats: Repeats,
        train_split: str = "train",
        computed: Parts | None = None,
    ):
        super().__init__()
        self._computed = computed or parts
        self.upstream = upstream
        self._parts = parts
        self._kept = kept
        self._repeats = repeats
        self._train_split = train_split
        self._announced: tuple[str, list[Name]] | None = None

    def get_downsample_rates(self, key: str) -> float | list[float]:
        """Samples from one frame to the next, as the upstream has it."""
        return self.upstream.get_downsample_rates(key)  # type: ignore[operator]

    def watch(self, downstream: nn.Module) -> None:
        """Learn from now on what is in the batches of a downstream's dataloaders."""
        for model in {downstream, getattr(downstream, "module", downstream)}:
            if isinstance(model, DistributedDataParallel) or hasattr(model, "get_dataloader"):
                model.get_dataloader = self._watched(model.get_dataloader)

    def forward(self, wavs: Sequence[Tensor]) -> dict[str, Any]:
        """The one entry that the task uses, as the upstream itself gives it.

        Args:
            wavs: per utterance, (L,) samples.

        Returns:
            the key of the entry -> (B, T, D), or a list of such, in float32.
        """
        announced, self._announced = self._announced, None
        training = announced is not None and announced[0] == self._train_split
        digests = [digest(wav) for wav in wavs]
        by_digest = dict(zip(digests, wavs, strict=True))
        crops = [waveform for waveform, wav in by_digest.items() if training and self._repeats.is_crop(len(wav))]
        others = [waveform for waveform in by_digest if waveform not in crops]
        kept = {waveform: self._kept.get(waveform, self._parts.names) for waveform in others}
        features: dict[str, Features] = {waveform: x for waveform, x in kept.items() if x is not None}
        missing = [waveform for waveform in by_digest if waveform not in features]
        for group in ([crops] if crops else []) + [[waveform] for waveform in missing if waveform not in crops]:
            with torch.no_grad(), torch.autocast(wavs[0].device.type, enabled=False):
                computed = self._computed.compute([by_digest[waveform] for waveform in group])
            features |= {waveform: self._kept.rounded(x) for waveform, x in zip(group, computed, strict=True)}
        if announced is not None:
            self._account(digests, wavs, {waveform: features[waveform] for waveform in missing}, *announced)
        samples = [len(wav) for wav in wavs]
        return {self._parts.key: self._parts.assemble([features[d] for d in digests], samples, wavs[0].device)}

    def _account(
        self, digests: list[str], wavs: Sequence[Tensor], computed: dict[str, Features], split: str, names: list[Name]
    ) -> None:
        """Count what a batch consisted of, and keep what may come again."""
        training = split == self._train_split
        for waveform, wav, name in zip(digests, wavs, names, strict=True):
            expected = self._repeats.expected(waveform, len(wav), name, training=training)
            features = computed.pop(waveform, None)
            if features is None:
                self._kept.counts.read += 1
            elif expected:
                self._kept.put(waveform, features)
            else:
                self._kept.counts.crops += 1

    def _watched(self, get_dataloader: Any) -> Any:
        """The same function, whose dataloaders announce their batches."""

        def watched(split: str, *args: Any, **kwargs: Any) -> Announced:
            def announce(batch: tuple[Any, ...]) -> None:
                self._announced = (split, names_in(batch, split))

            return Announced(get_dataloader(split, *args, **kwargs), announce)

        return watched


def digest(waveform: Tensor) -> str:
    """A digest of a waveform's samples: 128 bits, which no two waveforms share by chance."""
    return hashlib.sha256(waveform.detach().cpu().float().contiguous().numpy().tobytes()).hexdigest()[:32]
