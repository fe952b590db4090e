"""Which heads a verification trains: one on every state tap and on the weighted sum, per learning rate and seed.

The learning rates are tried with the first seed; the one that is best on dev is used with the others. The weighted sum
comes first, since it needs all taps: the features that it leaves in the store are those of every other head.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3prl_plugin import superb
from s3prl_plugin.compat import hf_folder
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import digests
from s3prl_plugin.jobs.durations import about
from s3prl_plugin.results import Row
from s3prl_plugin.select.layers import carried
from s3prl_plugin.select.source import Source
from s3prl_plugin.select.task_suite import features, has_settings, task_section
from s3prl_plugin.select.written import ELSEWHERE
from s3prl_plugin.states import upstream_facts
from s3prl_plugin.study.plan import StudyUpstream
from s3prl_plugin.study.runs import SuiteRun
from s3prl_plugin.superb.corpus import TaskCorpus

SUM = "weighted sum"
FACTORS = (1.0, 0.1, 10.0)  # of the task's learning rate: SUPERB allows powers of ten
FEWEST_SEEDS, FEWEST_TAPS = 3, 3
STORE = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be trained.

    Attributes:
        task: which.
        source: the run that was analysed.
        folder: of everything.
        taps: a row per state tap, in the order of the network.
        features: tap, or SUM -> the flags that give a head its features.
        section: what the suite says of the task.
        steps: of one head; 0 where nothing is trained.
        rates: learning rates, the task's own first; empty where nothing is trained.
        seeds: of the heads.
        store: where features are kept; the tasks of one upstream share them.
        device: as on the command line.
    """

    task: superb.Task
    source: Source
    folder: Path
    taps: tuple[Row, ...]
    features: Mapping[str, tuple[str, ...]]
    section: Mapping[str, Any]
    steps: int
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    store: Path
    device: str | None = None

    @property
    def heads(self) -> int:
        """How many are trained (or scored, where nothing is trained)."""
        return len(self.features) * max(1, len(self.rates) + len(self.seeds) - 1)

    def run(self, subject: str, rate: float | None, seed: int, corpus: str) -> SuiteRun:
        """The run of one head.

        Args:
            subject: a tap, or SUM.
            rate: its learning rate; None for the task's, or where nothing is trained.
            seed: of the head.
            corpus: of the task, laid out.
        """
        section = copy.deepcopy(dict(self.section))
        section["corpus"] = corpus
        if rate is not None:
            override = section.setdefault("override", {}) or {}
            override["optimizer"] = {**(override.get("optimizer") or {}), "lr": rate}
            section["override"] = override
        name = subject.replace(" ", "_")
        folder = self.folder / "heads" / name / (f"lr{rate:g}" if rate is not None else "") / f"seed{seed}"
        options = carried(self.source.options) if self.source.is_own else dict(self.source.options)
        return SuiteRun(
            upstream=StudyUpstream(name, self.source.upstream, self.source.checkpoint, options),
            kind="tasks",
            seed=seed,
            folder=folder,
            suite={"suite": {"store": {"folder": str(self.store)}, "tasks": {self.task.name: section}}},
            passed_on=(self.features[subject], ("--device", self.device) if self.device else ()),
        )

    def cost(self) -> list[str]:
        """What it will take, a sentence each."""
        task = f"{self.task.name} on {self.source.name}"
        subjects = f"{len(self.taps)} taps" + (" and the weighted sum" if SUM in self.features else "")
        if not self.rates:
            return [f"{task}: {subjects}, nothing is trained: {self.heads} runs of dev and {self.task.split}"]
        rates = ", ".join(f"{rate:g}" for rate in self.rates)
        tried = f"learning rates {rates} with seed {self.seeds[0]}" if self.rates[1:] else f"learning rate {rates}"
        more = len(self.seeds) - 1
        lines = [
            f"{task}: {subjects}, {tried}, then {more} more seed{'s' * (more != 1)} at the best rate: "
            f"{self.heads} heads of {self.steps} steps, {self.heads * self.steps} steps in all"
        ]
        if not has_settings(self.task.name, self.source) and "runner" not in (self.section.get("override") or {}):
            lines.append("these are the steps that SUPERB published; --steps N trains shorter heads")
        took = seconds_before(self.source, self.task, self.steps)
        lines.append(
            f"about {about(self.heads * took)} in all, if a head takes as long as the run's own {self.task.name}"
            if took is not None
            else "how long that takes shows when the first head is trained"
        )
        lines.append(
            f"the upstream computes each utterance once, for {self.store}; training goes on where it was stopped"
        )
        return lines


def planned(
    name: str,
    source: Source,
    folder: Path,
    seeds: Sequence[int],
    rates: Sequence[float] | None = None,
    steps: int | None = None,
    corpus: str | None = None,
    device: str | None = None,
    store: Path | None = None,
) -> Plan:
    """What a verification trains.

    Args:
        name: of the task.
        source: the run that was analysed.
        folder: for everything.
        seeds: of the heads, three or more where anything is trained.
        rates: learning rates; None: the task's own, a tenth and ten times of it.
        steps: of one head; None: as the run's suite has it, else SUPERB's.
        corpus: of the task; None for the one of the run.
        device: as on the command line.
        store: where features are kept; None for a place in `folder`.

    Raises:
        UserError: the task cannot be run, the upstream cannot be loaded again, or there are too few taps or seeds.
    """
    if name in ELSEWHERE:
        raise UserError(f"--verify: no suite can run {name} yet, so no head of it can be trained; leave out --verify")
    task = superb.task(name)
    if "CKPT" in source.loading:
        raise UserError(
            f"{source.folder} does not say which checkpoint -u {source.upstream} had, so no head can be trained"
        )
    _check_checkpoint(source)
    taps = tuple(source.taps())
    if len(taps) < FEWEST_TAPS:
        raise UserError(f"{source.folder}: verifying needs {FEWEST_TAPS} state taps or more; analysed: {len(taps)}")
    section = task_section(name, source, corpus)
    settings = task.settings(section, TaskCorpus(Path("."), "", "", Path(".")))
    total = task.steps(settings)
    if not total:
        if rates or steps:
            raise UserError(f"{name} trains nothing: leave out --lr and --steps")
        found: tuple[float, ...] = ()
        seeds = seeds[:1]
    else:
        if len(set(seeds)) < FEWEST_SEEDS:
            raise UserError(f"--seeds: {len(set(seeds))} given; an interval over heads needs {FEWEST_SEEDS} or more")
        if steps is not None:
            section = _with_steps(section, settings["runner"], steps)
            total = steps * max(1, len(task.parts))
        own = float(settings["optimizer"]["lr"])
        found = tuple(dict.fromkeys(rates if rates else [float(f"{own * factor:.6g}") for factor in FACTORS]))
        if task.procedure == "every_checkpoint":  # no dev set, on which one could be chosen
            found = found[:1]
    finest = min((row.stride for row in taps if row.stride), default=None)
    flags = {str(row.tap): tuple(features(row, finest, task.frame_rate)) for row in taps}
    if total:
        flags = {SUM: ("-s", "hidden_states"), **flags}
    return Plan(
        task=task,
        source=source,
        folder=folder,
        taps=taps,
        features=flags,
        section=section,
        steps=total,
        rates=found,
        seeds=tuple(dict.fromkeys(seeds)),
        store=store or folder / STORE,
        device=device,
    )


def _check_checkpoint(source: Source) -> None:
    """Refuse a checkpoint that is not the one that was analysed: its heads would say nothing about the choice."""
    if source.tuned:
        raise UserError(
            f"{source.folder} has analysed a fine-tuned upstream (-i {source.tuned}), and heads would be trained on "
            "the one of -k; leave --verify out"
        )
    facts = upstream_facts.read(source.folder)
    analysed = ((facts and facts.identity) or {}).get("checkpoint") or source.rows[0].checkpoint_sha256
    found = _digest(Path(source.checkpoint), analysed) if source.checkpoint else None
    if analysed is not None and found is not None and found != analysed:
        raise UserError(
            f"{source.checkpoint} is not the checkpoint that was analysed in {source.folder} (SHA-256 {found[:8]}..., "
            f"then {analysed[:8]}...): put that one back, or analyse this one"
        )


def _digest(checkpoint: Path, analysed: str | None) -> str | None:
    """Of a file or a folder; a folder as transformers saves it may be known by the files that it loads alone."""
    found = digests.of_path(checkpoint)
    if found is None or found == analysed or not (checkpoint / hf_folder.CONFIG).is_file():
        return found
    return hf_folder.find(str(checkpoint), "hf").digest


def seconds_before(source: Source, task: superb.Task, steps: int) -> float | None:
    """How long a head of so many steps takes, by the run's own; None where it does not say."""
    for folder in (source.folder, *sorted(source.folder.glob("seed*"))):
        record = superb.Record.existing(folder / task.name)
        seconds, before = (record.seconds(), task.steps(record.settings)) if record is not None else (None, 0)
        if seconds and before:
            return seconds * steps / before
    return None


def _with_steps(section: Mapping[str, Any], runner: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """A task's section with another number of steps, and four evaluations on the way where that divides them."""
    if steps < 1:
        raise UserError(f"--steps {steps}: give 1 or more")
    every = steps // 4 if steps % 4 == 0 else steps
    changed = {"total_steps": steps} | {key: every for key in ("eval_step", "save_step", "log_step") if key in runner}
    override = dict(section.get("override") or {})
    override["runner"] = {**(override.get("runner") or {}), **changed}
    return {**section, "override": override}
