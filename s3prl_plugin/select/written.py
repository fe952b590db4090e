"""Ready configurations for a chosen tap, and the command line that runs them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import Row
from s3prl_plugin.select import layers
from s3prl_plugin.select.recommendation import Recommendation
from s3prl_plugin.select.source import Source
from s3prl_plugin.select.task_suite import features, frame_rate

PROGRAM = "python -m s3prl_plugin.run_downstream"
FINE_TUNING_RATE = 2.0e-5  # of Adam, for upstream and head together: a start, from what such models are fine-tuned with
ELSEWHERE = {"SE": "enhancement_stft2", "SS": "separation_stft2"}  # s3prl's downstreams of tasks that no suite runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A chosen tap, ready to be run.

    Attributes:
        flags: that give the head the tap, and train the upstream where that is asked for.
        options: of the upstream; None where it takes none, or needs none.
        about: what is done, a sentence each.
        files: what was written: the suite, and beside it the options.
        command: to be pasted; with `suite.yaml` for a file that was not written.
        way: of fine-tuning; None for a frozen upstream.
    """

    flags: tuple[str, ...]
    options: Mapping[str, Any] | None
    about: tuple[str, ...]
    files: tuple[Path, ...] = ()
    command: str = ""
    way: str | None = None


def ready(found: Recommendation, way: str | None = None) -> Ready:
    """How the recommended tap is run.

    Args:
        found: with a tap.
        way: of fine-tuning, one of `layers.WAYS`; None for a frozen upstream.

    Raises:
        UserError: the upstream cannot be fine-tuned so.
    """
    source, tap = found.source, found.tap
    if tap is None:
        raise UserError(f"{found.criterion.task}: no tap is recommended, so there is nothing to run")
    taps = source.taps()
    rate = frame_rate(found.criterion.task)
    finest = min((row.stride for row in taps if row.stride), default=None)
    if not source.is_own:
        return _foreign(source, tap, features(tap, finest, rate), way)
    if way is None:
        return Ready(
            flags=tuple(features(tap, finest, rate)),
            options=layers.options_of("cut", tap, taps, source.options),
            about=(f"a head on {tap.tap}; nothing above it is computed",),
        )
    options = layers.options_of(way, tap, taps, source.options)
    options.pop("dtype", None)  # half precision loses the small steps of training
    seen = tap if way == "cut" else taps[-1]
    return Ready(
        flags=(*features(seen, finest, rate), "-f"),
        options=options,
        about=tuple(_what_happens(way, tap, seen, taps)),
        way=way,
    )


def write(found: Recommendation, prepared: Ready, path: Path, corpus: str | None = None) -> Ready:
    """Write what is run to a file, and the options of the upstream to another one beside it.

    For a frozen head PATH is the suite and PATH with `_upstream` before its ending the options; for fine-tuning PATH is
    the options, and PATH with `_suite` the suite.

    Args:
        prepared: by `ready`.
        path: the file; its ending is .yaml or .yml.
        corpus: of the task; None for the one of the run.

    Raises:
        UserError: the file's ending, or the task cannot be run from a suite.
    """
    from s3prl_plugin.select.task_suite import has_settings, task_section  # which loads torch

    if path.suffix not in (".yaml", ".yml"):
        raise UserError(f"-o {path}: a configuration is YAML; give a name that ends in .yaml")
    task = found.criterion.task
    if task in ELSEWHERE:
        raise UserError(
            f"-o {path}: no suite can run {task} yet; s3prl's own -d {ELSEWHERE[task]} can, with the flags shown"
        )
    fine_tuned = "-f" in prepared.flags
    section = task_section(task, found.source, corpus)
    suite: dict[str, Any] = {"tasks": {task: _with_rate(section) if fine_tuned else section}}
    if not fine_tuned:
        suite = {"store": True, **suite}
    files = [path]
    if prepared.options:
        files.append(path.with_stem(f"{path.stem}_{'suite' if fine_tuned else 'upstream'}"))
    suite_file, options_file = (files[1], path) if fine_tuned and prepared.options else (path, files[-1])
    words = command(found.source, prepared, suite_file, options_file if prepared.options else None, task)
    lines = [f"{found.criterion.title}, {line}" for line in prepared.about[:1]] + list(prepared.about[1:])
    lines.append(f"chosen by {' and '.join(each.measure for each in found.choices)}: {found.why}")
    if found.source.plugins:
        lines.append(f"needs {shlex.join(found.source.plugins)}, code of your own, on the command line")
    settings = "of the run" if has_settings(task, found.source) else "that SUPERB published"
    about_suite = [*lines, f"the settings are those {settings}", words]
    if fine_tuned:
        about_suite.insert(-1, f"but for the learning rate, {FINE_TUNING_RATE:g}, which is a start for a whole network")
    _write(suite_file, about_suite, {"suite": suite})
    if prepared.options:
        _write(options_file, [*lines, words], prepared.options)
    return Ready(
        flags=prepared.flags,
        options=prepared.options,
        about=prepared.about,
        files=tuple(dict.fromkeys((suite_file, options_file))) if prepared.options else (suite_file,),
        command=words,
        way=prepared.way,
    )


def command(source: Source, prepared: Ready, suite: Path, options: Path | None, task: str) -> str:
    """The command line that runs it."""
    run = ["-d", ELSEWHERE[task], "-c", "CONFIG.yaml"] if task in ELSEWHERE else ["-d", "suite", "-c", str(suite)]
    words = ["-m", "train", *run, *source.plugins, *source.loading]
    if options is not None:
        words += ["-g", str(options)]
    elif source.model_config and not source.is_own:
        words += ["-g", os.path.abspath(source.model_config)]
    folder = f"{task}_{prepared.way or 'head'}"
    return f"{PROGRAM} {shlex.join([*words, *prepared.flags, '-p', folder])}"


def _foreign(source: Source, tap: Row, flags: Sequence[str], way: str | None) -> Ready:
    """An upstream that does not know this plugin's options of fine-tuning."""
    if way is None:
        about = (f"a head on {tap.tap}; {source.upstream} cannot be cut, so any layers above it are computed, too",)
        return Ready(flags=tuple(flags), options=None, about=about)
    if way != "cut":
        raise UserError(
            f"--fine-tune {way}: {source.upstream} is not an MR-HuBERT of this plugin and can be neither frozen nor "
            "re-initialised in part; `--fine-tune cut` trains what the head sees"
        )
    return Ready(
        flags=(*flags, "-f"),
        options=None,
        about=(
            f"all layers up to {tap.tap} are trained",
            f"{source.upstream} cannot be cut: any layers above are computed all the same, and get no gradients",
        ),
        way=way,
    )


def _what_happens(way: str, tap: Row, seen: Row, taps: Sequence[Row]) -> list[str]:
    """A way of fine-tuning in words."""
    sees = f"the head sees {seen.tap}"
    if way == "cut":
        return [f"all layers up to {tap.tap} are kept and trained; above it nothing is left", sees]
    above = layers.layers_above(tap, taps, {})
    listed = f"{above[0]} to {above[-1]}" if above[1:] else above[0]
    if way == "reset":
        return [f"all layers are trained, those above {tap.tap} from random weights ({listed})", sees]
    return [f"everything up to {tap.tap} stays as it is, the layers above it are trained ({listed})", sees]


def _with_rate(section: Mapping[str, Any]) -> dict[str, Any]:
    """A task's section with a learning rate that a whole network survives."""
    override = dict(section.get("override") or {})
    override["optimizer"] = {**(override.get("optimizer") or {}), "lr": FINE_TUNING_RATE}
    return {**section, "override": override}


def _write(path: Path, about: Sequence[str], content: Mapping[str, Any]) -> None:
    """A YAML file that says what it is."""
    lines = [f"# {line}" for line in about]
    body = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    results.replace_file(path, ("\n".join(lines) + f"\n{body}").encode("utf-8"))
