"""The sizes of a hierarchy of quantised autoencoders, or of the flat VQ-VAE that it is compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from annotated_types import Interval, MinLen, MultipleOf

from s3prl_plugin.config.schema import ConfigSection, Counted, brief
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import SAMPLE_RATE, Tap

# Limits are far above any model that makes sense; a file that asks for more is refused before memory is taken.
MOST_HALVINGS = 16


@dataclass(frozen=True, kw_only=True)
class Config(ConfigSection):
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
    """

    halvings: Annotated[Sequence[Counted], MinLen(1)] = (1, 1, 1, 1, 1)
    quantiser: Literal["stochastic", "nearest"] = "stochastic"
    channels: Annotated[int, Interval(ge=1, le=4096)] = 80
    hop: Annotated[int, Interval(ge=1, le=16000)] = 80
    hidden: Annotated[int, Interval(ge=2, le=4096), MultipleOf(2)] = 64
    codes: Annotated[int, Interval(ge=2, le=65536)] = 256
    code_dim: Annotated[int, Interval(ge=1, le=4096)] = 64
    residual_blocks: Annotated[int, Interval(ge=0, le=64)] = 0
    dims: Literal[1, 2] = 1

    def check_together(self) -> None:
        """Refuse rates that no speech has."""
        if sum(self.halvings) > MOST_HALVINGS:
            raise UserError(f"halvings: {brief(self.halvings)}; give {MOST_HALVINGS} in all at most")

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
