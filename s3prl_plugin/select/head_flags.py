"""Which flags give a task's head one tap."""

from __future__ import annotations

import re

from s3prl_plugin import config as configuration
from s3prl_plugin.results import Row
from s3prl_plugin.strides import Stride

ANY_RATE = "any"  # of a task whose head averages over frames
_PLAIN = re.compile(r"layer\d+")  # a tap of an upstream that does not name its taps: an entry of hidden_states


def frame_rate(task: str) -> str:
    """What a task counts frames for, as `superb.Task` has it; "any" for one that no suite runs. Loads no torch."""
    described = configuration.read(configuration.packaged("configs", "superb", "tasks.yaml")).data
    return str(described.get(task, {}).get("frame_rate", ANY_RATE))


def features(tap: Row, finest: Stride | None, frame_rate: str) -> list[str]:
    """The flags `-s`, and `-l` where it takes one, that feed a head from one tap.

    A head that averages over time takes the tap at its own frame rate. One that labels frames gets a coarser tap at the
    finest rate of the network, each frame repeated, as the weighted sum has it: at its own rate an utterance might have
    fewer frames than labels.

    Args:
        tap: a row of it.
        finest: samples from one frame to the next of the finest tap.
        frame_rate: what the task counts frames for, as `superb.Task` has it.
    """
    if _PLAIN.fullmatch(str(tap.tap)):
        return ["-s", "hidden_states", "-l", str(tap.tap_index)]
    if frame_rate == ANY_RATE or tap.stride == finest:
        return ["-s", str(tap.tap)]
    return ["-s", "hidden_states", "-l", str(tap.tap_index)]
