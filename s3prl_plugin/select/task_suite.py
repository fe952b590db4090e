"""How one task is run on one tap: the flags that give its head the tap, and the suite with the task's settings.

Settings are as in the run that was analysed, on a corpus that is there.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from s3prl_plugin import config as configuration
from s3prl_plugin import superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import Row
from s3prl_plugin.select.source import Source
from s3prl_plugin.strides import Stride
from s3prl_plugin.superb.corpus import GENERATED


def task_section(name: str, source: Source, corpus: str | None = None) -> dict[str, Any]:
    """What a suite is to say of a task: as the analysed run, or its study, has it, else SUPERB's published settings.

    Args:
        name: of the task.
        source: the run.
        corpus: as on the command line; None for the one of the run.

    Raises:
        UserError: the task cannot be run, or no corpus is known that it could be run on.
    """
    task = superb.task(name)
    said = source.task_options(name) or {}
    spec = corpus or said.get("corpus") or (None if "corpus" in said else _of_analyses(task, source))
    if not spec:
        raise UserError(
            f"{name}: the results do not say which corpus its head is to be trained on; give --corpus FOLDER "
            f"({task.dataset}: the folder that holds {', '.join(task.needs)}), or --corpus {GENERATED}"
        )
    return {**said, "corpus": str(spec)}


def has_settings(name: str, source: Source) -> bool:
    """Whether the analysed run, or its study, says something of a task's settings."""
    said = source.task_options(name) or {}
    return bool(said.get("override") or said.get("config"))


def _of_analyses(task: superb.Task, source: Source) -> str | None:
    """The corpus of the analyses, where the task can do with it."""
    if source.corpus is None or source.corpus == GENERATED:
        return source.corpus
    layout = importlib.import_module(f"s3prl_plugin.corpora.generated.layouts.{task.layout}")
    return None if hasattr(layout, "generate") else source.corpus


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
