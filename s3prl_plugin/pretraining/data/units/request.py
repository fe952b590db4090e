"""What units are wanted: of which frames, how many, learned from how much."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from annotated_types import Ge

from s3prl_plugin.config.schema import ConfigSection, Counted, Positive, Text, Whole
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import digests

MFCC = "mfcc"
VERSION = 1
"""Raised whenever the same request would give other units, so that old ones are not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(ConfigSection):
    """Units that are wanted; the keys of a configuration's section `units`.

    Attributes:
        features: what is clustered: `mfcc`, or a tap of an earlier model such as `mid.layer1`.
        clusters: K.
        upstream: of a tap: the entry that loads the earlier model.
        checkpoint: of a tap: its file, where the entry needs one.
        options: of a tap: of that entry, as in a file given by -g.
        sampled_frames: clusters are learned from whole utterances, drawn until they have so many frames.
        starts: of k-means, of which the best is taken.
        batch_seconds: of a tap: audio that the earlier model hears at once.
        seed: of the sample and of k-means.
    """

    features: Text = MFCC
    clusters: Annotated[int, Ge(2)] = 100
    upstream: str | None = None
    checkpoint: str | None = None
    options: Mapping[str, Any] | None = None
    sampled_frames: Counted = 500_000
    starts: Counted = 3
    batch_seconds: Positive = 60.0
    seed: Whole = 0

    def check_together(self) -> None:
        """Refuse a tap of no model, and a model of which there is no tap."""
        if self.features != MFCC and self.upstream is None:
            raise UserError(
                f"features: {self.features!r} is a tap of which model? Name its checkpoint (--units_from CKPT), or "
                f"cluster {MFCC!r}"
            )
        if self.features == MFCC and (self.upstream or self.checkpoint):
            raise UserError(f"features: {MFCC} frames need no model; name a tap of it, or leave the model out")

    @property
    def needs_model(self) -> bool:
        """Whether an earlier model makes the frames."""
        return self.features != MFCC

    def identity(self) -> dict[str, Any]:
        """What decides the units, but for the speech; of an earlier checkpoint, its content."""
        said = asdict(self) | {"version": VERSION, "options": dict(self.options or {})}
        del said["batch_seconds"]  # rounding only
        if self.checkpoint:
            said["checkpoint"] = digests.of_path(self.checkpoint) or self.checkpoint
        return said


def from_argument(text: str, checkpoint: str | None = None, upstream: str | None = None, **others: Any) -> Request:
    """A request from the command line.

    Args:
        text: `mfcc:100`, or `TAP:500` with a checkpoint or an upstream.
        checkpoint: of the earlier model.
        upstream: the entry that loads it; by default the one that reads checkpoints of this plugin.
        others: further attributes of `Request`.

    Raises:
        UserError: it is not of that form, or something is missing.
    """
    match = re.fullmatch(r"([\w.]+):(\d+)", text)
    if match is None:
        raise UserError(f"--units {text}: give the frames and the number of units, as in mfcc:100 or mid.layer1:500")
    if checkpoint is not None and upstream is None:
        upstream = "mr_hubert_local"
    return Request(features=match[1], clusters=int(match[2]), checkpoint=checkpoint, upstream=upstream, **others)


def told(request: Request, speech: str) -> str:
    """A name for the units of some speech, the same for the same units.

    Args:
        request: what is wanted.
        speech: tells the speech from any other.
    """
    said = json.dumps([request.identity(), speech], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
