"""What units are wanted: of which frames, how many, learned from how much."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.files import digests

MFCC = "mfcc"
VERSION = 1
"""Raised whenever the same request would give other units, so that old ones are not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
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

    features: str = MFCC
    clusters: int = 100
    upstream: str | None = None
    checkpoint: str | None = None
    options: Mapping[str, Any] | None = None
    sampled_frames: int = 500_000
    starts: int = 3
    batch_seconds: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("clusters", 2), ("sampled_frames", 1), ("starts", 1), ("seed", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise UserError(f"units: {name}: {value!r} is no whole number from {least} on")
        if type(self.batch_seconds) not in (int, float) or self.batch_seconds <= 0:
            raise UserError(f"units: batch_seconds: {self.batch_seconds!r} is no number above 0")
        if self.features != MFCC and self.upstream is None:
            raise UserError(
                f"units: {self.features!r} is a tap of which model? Name its checkpoint (--units_from CKPT), or "
                f"cluster {MFCC!r}"
            )
        if self.features == MFCC and (self.upstream or self.checkpoint):
            raise UserError(f"units: {MFCC} frames need no model; name a tap of it, or leave the model out")

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


def from_config(section: Mapping[str, Any]) -> Request:
    """A request from a configuration's section `units`.

    Raises:
        UserError: a key is unknown, or a value is not possible.
    """
    known = [field.name for field in fields(Request)]
    for key in section:
        if key not in known:
            raise UserError(f"units: unknown key {key!r}: {did_you_mean(str(key), known)}")
    return Request(**section)


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
