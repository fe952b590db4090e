"""The sizes of a hierarchy of quantised autoencoders, or of the flat VQ-VAE that it is compared with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states.taps import SAMPLE_RATE, Tap

QUANTISERS = ("stochastic", "nearest")
LEAST = {"channels": 1, "hop": 1, "hidden": 2, "codes": 2, "code_dim": 1, "residual_blocks": 0}
MOST_HALVINGS = 16
# Far above any model that makes sense; a file that asks for more is broken, and is refused before memory is taken.
MOST = {"channels": 4096, "hop": 16000, "hidden": 4096, "codes": 65536, "code_dim": 4096, "residual_blocks": 64}


@dataclass(frozen=True, kw_only=True)
class Config:
    """What decides the parameters of a model.

    Attributes:
        halvings: per level, how often it halves the rate of what it takes: once each in a hierarchy. A single level
            that halves n times is a flat VQ-VAE with the rate, and so the bits, of the n-th level of a hierarchy.
        quantiser: "stochastic" (a sample of the posterior; the hierarchy's), or "nearest" (the VQ-VAE's).
        channels: of the input: mel bands, or those of an image.
        hop: samples from one input frame to the next; without meaning for images.
        hidden: channels within encoders and decoders; half of them at the input's rate.
        codes: K, per level.
        code_dim: of a code.
        residual_blocks: in every encoder, and in every decoder.
        dims: 1 for sequences, 2 for images.

    Raises:
        UserError: a size that cannot be.
    """

    halvings: tuple[int, ...] = (1, 1, 1, 1, 1)
    quantiser: str = "stochastic"
    channels: int = 80
    hop: int = 80
    hidden: int = 64
    codes: int = 256
    code_dim: int = 64
    residual_blocks: int = 0
    dims: int = 1

    def __post_init__(self) -> None:
        whole = self.halvings and all(type(n) is int and n > 0 for n in self.halvings)
        if not whole or sum(self.halvings) > MOST_HALVINGS:
            raise UserError(
                f"halvings: {_brief(self.halvings)}; give a whole number per level, {MOST_HALVINGS} in all at most"
            )
        for name, least in LEAST.items():
            size = getattr(self, name)
            if type(size) is not int or not least <= size <= MOST[name]:
                raise UserError(f"{name}: {_brief(size)} is no whole number from {least} to {MOST[name]}")
        if self.hidden % 2:
            raise UserError(f"hidden: {self.hidden} is odd, and half of it are needed; give an even number")
        if self.dims not in (1, 2):
            raise UserError(f"dims: {self.dims!r}; give 1 (sequences) or 2 (images)")
        if self.quantiser not in QUANTISERS:
            raise UserError(f"quantiser: {self.quantiser!r}; {did_you_mean(str(self.quantiser), QUANTISERS)}")

    def flat_at(self, level: int) -> Config:
        """The flat VQ-VAE with as many bits as a level of this hierarchy.

        Raises:
            UserError: there is no such level.
        """
        if type(level) is not int or not 0 <= level < len(self.halvings):
            raise UserError(f"flat: {level!r} is no level; they count from 0 to {len(self.halvings) - 1}")
        return Config(**{**asdict(self), "halvings": (sum(self.halvings[: level + 1]),), "quantiser": "nearest"})

    @property
    def levels(self) -> int:
        """How many there are."""
        return len(self.halvings)

    @property
    def strides(self) -> tuple[int, ...]:
        """Per level, samples from one code to the next."""
        return tuple(self.hop * 2 ** sum(self.halvings[: level + 1]) for level in range(self.levels))

    @property
    def bits_per_s(self) -> tuple[float, ...]:
        """Per level, codes per second times log2 K."""
        return tuple(SAMPLE_RATE / stride * math.log2(self.codes) for stride in self.strides)

    def level_channels(self, level: int) -> int:
        """The channels that a level takes."""
        return self.code_dim if level else self.channels

    def taps(self) -> tuple[Tap, ...]:
        """What can be observed: per level, from the lowest, the encoder's output and the code's vector."""
        found: list[Tap] = []
        for level, stride in enumerate(self.strides):
            block = f"level{level}"
            for layer, codes in (("continuous", None), ("quantised", self.codes)):
                tap = Tap(len(found), f"{block}.{layer}", block, layer, stride, self.code_dim, codes=codes)
                found.append(tap)
        return tuple(found)


def _brief(value: object) -> str:
    """A value from a file, in a message."""
    try:
        text = repr(value)
    except ValueError:  # a number of too many digits
        return f"<{type(value).__name__}>"
    return text if len(text) <= 60 else text[:57] + "..."
