"""The run whose results a choice is made from: its rows, and how its upstream is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from s3prl_plugin import config as configuration
from s3prl_plugin import registry, results
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.inference import current
from s3prl_plugin.inference.folders import FILE_NAME as STUDY_FILE
from s3prl_plugin.inference.folders import folders as folders_of
from s3prl_plugin.inference.state_taps import states
from s3prl_plugin.plugins import plugin_flag
from s3prl_plugin.report.tables import WEIGHT
from s3prl_plugin.results import Row

OWN = (
    "s3prl_plugin.upstream.mr_hubert.",
    "s3prl_plugin.upstream.hf.",
)  # the entries that know the options of fine-tuning
PLACEHOLDER = "CKPT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One upstream's run.

    Attributes:
        folder: of the run.
        rows: of its results.
        upstream: the entry, as in `-u`.
        tuned: as in `-i`: the run's checkpoint that the upstream's weights were loaded from, if any.
        checkpoint: as in `-k`; None where the entry needs none, or the folder does not say.
        options: what the file of `-g` held.
        model_config: that file, of an upstream that is not this plugin's.
        suites: the sections `suite` of the run's configurations, the run's own first, then the study's.
        alone: the corpus of an analysis that was no suite's.
        notes: what a reader of the results must know, a sentence each.
    """

    folder: Path
    rows: tuple[Row, ...]
    upstream: str
    checkpoint: str | None = None
    tuned: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    model_config: str | None = None
    suites: tuple[Mapping[str, Any], ...] = ()
    alone: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.resolve().name

    @property
    def title(self) -> str:
        """What the upstream is called."""
        return self.rows[0].title

    @property
    def is_own(self) -> bool:
        """Whether the upstream is one of this plugin that can be cut, frozen and begun anew at any tap."""
        return registry.upstreams().get(self.upstream, "").startswith(OWN)

    @property
    def loading(self) -> list[str]:
        """The flags that load the upstream, without its options."""
        needs = self.upstream.endswith(("_local", "_url", "_custom"))
        checkpoint = self.checkpoint or (PLACEHOLDER if needs else None)
        tuned = ["-i", self.tuned] if self.tuned else []
        return ["-u", self.upstream, *(["-k", checkpoint] if checkpoint else []), *tuned]

    @property
    def plugins(self) -> list[str]:
        """The flags `--plugin` that the run was given, and that whatever goes on from it needs, too."""
        return plugin_flag.needed({name for row in self.rows for name in row.versions})

    def taps(self) -> list[Row]:
        """A row of every state tap that an analysis has seen, in the order of the network."""
        seen = {row.tap: row for row in states(self.rows) if row.tap_index is not None and row.score != WEIGHT}
        return sorted(seen.values(), key=lambda row: row.tap_index or 0)

    def task_options(self, task: str) -> dict[str, Any] | None:
        """What the run's suite, or its study's, says of a task; None where it says nothing."""
        for suite in self.suites:
            tasks = suite.get("tasks") or {}
            if task in tasks:
                return dict(tasks[task] or {})
        return None

    @property
    def corpus(self) -> str | None:
        """The corpus of the analyses, as a suite names it; None where the folder does not say."""
        return next((str(suite["corpus"]) for suite in self.suites if suite.get("corpus")), self.alone)


def sources(expdirs: Iterable[str | Path], upstream: str | None = None) -> list[Source]:
    """The runs at some places, one per upstream.

    Args:
        expdirs: folders of runs or of studies.
        upstream: only the one of that name: of its folder, or its entry.

    Raises:
        UserError: there are no results, or none of that name, or a folder holds those of several upstreams.
    """
    folders = list(dict.fromkeys(folder for expdir in expdirs for folder in folders_of(expdir)))
    found = [_source(folder) for folder in folders]
    if upstream is None:
        return found
    wanted = [each for each in found if each.name == upstream]
    wanted = wanted or [each for each in found if each.upstream == upstream]
    if not wanted:
        names = [each.name for each in found]
        raise UserError(f"--upstream {upstream}: not in these results; {did_you_mean(upstream, names)}")
    return wanted


def _source(folder: Path) -> Source:
    """The run in one folder."""
    found = current.read(folder)
    rows = found.rows
    folder = folder if folder.is_dir() else folder.parent
    if not rows:
        raise UserError(f"{folder / results.FILE_NAME}: no rows; give a folder in which a run has ended")
    whose = {row.model: row for row in rows}
    if len(whose) > 1:
        names = ", ".join(f"{row.upstream} ({row.weights})" if row.weights else row.upstream for row in whose.values())
        raise UserError(f"{folder} holds results of several upstreams ({names}); give folders of one each")
    entry, named_options = parted(rows[0].upstream)
    said = _arguments(folder, entry)
    suites = [_section(folder, "suite")]
    if (folder.parent / STUDY_FILE).is_file():
        suites.append(_section(folder.parent, "suite"))
    model_config = said.get("upstream_model_config")
    options = _options(model_config, folder) or named_options
    checkpoint = said.get("upstream_ckpt")
    return Source(
        folder=folder,
        rows=rows,
        upstream=entry,
        checkpoint=str(checkpoint) if checkpoint else None,
        tuned=said.get("init_ckpt"),
        options=options,
        model_config=str(model_config) if model_config else None,
        suites=tuple(suite for suite in suites if suite),
        alone=_section(folder, "downstream_expert").get("corpus"),
        notes=found.notes,
    )


def parted(name: str) -> tuple[str, dict[str, Any]]:
    """The entry and the options of an upstream as results rows name it: `mr_hubert_local[pool_to=mean:40,seed=1]`."""
    entry, _, options = name.partition("[")
    pairs = [pair.partition("=") for pair in options.rstrip("]").split(",") if "=" in pair]
    return entry, {key: yaml.safe_load(value) for key, _, value in pairs if key not in ("tuned", "trust_remote_code")}


def _arguments(folder: Path, upstream: str) -> dict[str, Any]:
    """The arguments of the last run in a folder, as s3prl keeps them there."""
    for path in sorted(folder.glob("args_*.yaml"), reverse=True):
        found = configuration.read(path).data
        if found.get("upstream") == upstream:
            return found
    return {}


def _section(folder: Path, name: str) -> dict[str, Any]:
    """A section of the last configuration in a folder that has it, from the copies that s3prl keeps there."""
    for path in sorted(folder.glob("config_*.yaml"), reverse=True):
        found = configuration.read(path).data.get(name)
        if isinstance(found, dict):
            return found
    return {}


def _options(model_config: Any, folder: Path) -> dict[str, Any]:
    """The options of the upstream: of the copy of `-g` that s3prl keeps beside the results, else of the file itself."""
    if not model_config:
        return {}
    path = Path(str(model_config))
    copies = sorted(folder.glob(f"{path.stem}_*{path.suffix}"), reverse=True)
    for each in (*copies, path):
        if each.is_file():
            return configuration.read(each).data
    raise UserError(f"{folder}: the run was given -g {model_config}, which is not there any more; put it back")
