"""A whole run of analyses: the pass that gathers their statistics, and the scores."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch

from s3prl_plugin import ranks, registry, results
from s3prl_plugin.analysis.one_pass import gather, memory
from s3prl_plugin.analysis.one_pass.gather import Pass, StatesOf
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.one_pass.loading import Waveforms
from s3prl_plugin.analysis.one_pass.saved_pass import FOLDER, Shard
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.corpora import fingerprint
from s3prl_plugin.states.taps import Tap

FINISHED = "analyses.json"
WITHOUT_INFLUENCE = (
    *("num_workers", "memory_limit_gb", "statistics_on_disk", "checkpoint_minutes", "keep_statistics", "merge"),
)


class Analysis(Protocol):
    """An analysis that was built: what it asks of the pass, and its scores afterwards.

    Attributes:
        name, options: of the downstream.
        expdir: the folder that gets results.jsonl.
        upstream_taps: what the upstream exposes; taps: those that are seen.
        provenance: the fields of a results row that describe the upstream.
        gathering, plan: what is gathered, and what was decided about the corpus.
        device: where waveforms are taken.
        reads: files that decide its numbers, besides the corpus -> their digests.
    """

    name: ClassVar[str]
    options: Options
    expdir: str
    upstream_taps: tuple[Tap, ...]
    taps: tuple[Tap, ...]
    provenance: dict[str, Any]
    gathering: Gathering
    plan: Plan
    device: torch.device
    reads: dict[str, str | None]

    def get_dataloader(self, split: str) -> Waveforms:
        """The utterances of the plan, in batches."""
        ...

    def log_records(self, split: str) -> list[str]:
        """Compute and write the results."""
        ...

    def say(self, line: str) -> None:
        """Tell the user."""
        ...


def analyse(analyses: Sequence[Analysis], name: str, states_of: StatesOf, upstream: Any, again: bool = True) -> None:
    """Gather what the analyses need in one pass, compute their scores, write their results.

    A part of a corpus is only gathered and kept; parts are merged, and scored, by a run of their own.

    Args:
        analyses: that share one gathering.
        name: of the downstream that was asked for.
        states_of: the upstream.
        upstream: tells it from any other; see `provenance.identity`.
        again: whether to compute anew what the folder holds already.

    Raises:
        UserError: an option cannot be used, what was saved is of another run, or another process has ended.
    """
    lead = analyses[0]
    options, gathering = lead.options, lead.gathering
    part, folders = Shard.of(options["part"]), options["merge"] or []
    every_s = 60 * options["checkpoint_minutes"]
    waveforms = lead.get_dataloader("")
    identity = _identity(lead, upstream, waveforms.batches)
    whole = {**identity, "options": {analysis.name: _influential(analysis) for analysis in analyses}}
    whole["reads"] = {analysis.name: analysis.reads for analysis in analyses}
    if of_others := {k: v for analysis in analyses for k, v in registry.origin("downstream", analysis.name).items()}:
        whole["packages"] = of_others
    changed = fingerprint.changed(gathering.plan.known, gathering.plan.fingerprints)
    if changed:
        lead.say(f"audio is not what it was when this folder was last used: {fingerprint.several(changed)}")
    if not again and _finished(lead.expdir) == whole:
        lead.say(f"these analyses are finished; remove {Path(lead.expdir) / FINISHED} to compute them anew")
        return
    if ranks.leads():
        _write_folds(lead.expdir, gathering.plan)
    if folders:
        if ranks.leads():
            gather.merge(gathering, folders, name, identity)
            _score(analyses, whole)
        return
    gathered = Pass(gathering, waveforms, lead.expdir, name, identity, part, every_s)
    gathered.check()  # before the fingerprints are written that tell what has changed since
    if ranks.leads():
        fingerprint.write(Path(lead.expdir) / fingerprint.FILE_NAME, gathering.plan.fingerprints)
    params, batch_s = lead.provenance.get("params"), options["batch_seconds"]
    lead.say(memory.expected(gathering, lead.upstream_taps, params, batch_s))
    gathered.run(states_of, lead.device)
    _say_memory(lead, "the pass")
    if part.count > 1:
        lead.say(f"part {part} is gathered in {Path(lead.expdir) / FOLDER}; when all are, a run with merge scores them")
        return
    gathered.collect()
    if ranks.leads():
        _score(analyses, whole)
        _say_memory(lead, "the scores")
        if not options["keep_statistics"]:
            gathered.remove()


def _score(analyses: Sequence[Analysis], identity: dict[str, Any]) -> None:
    """The results of every analysis, each written as soon as it is ready, and that they are all there."""
    for analysis in analyses:
        analysis.log_records("")
    content = json.dumps(identity, indent=1).encode()
    results.replace_file(Path(analyses[0].expdir) / FINISHED, content)


def _say_memory(lead: Analysis, after: str) -> None:
    """What was taken so far."""
    if taken := memory.taken():
        lead.say(f"memory, after {after}: {taken}")


def _finished(expdir: str | Path) -> Any:
    """The identity of the analyses whose results the folder holds; None where it holds none."""
    path = Path(expdir) / FINISHED
    if not path.is_file() or not (Path(expdir) / results.FILE_NAME).is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def _influential(analysis: Analysis) -> dict[str, Any]:
    """The options that decide an analysis's numbers."""
    options = {key: value for key, value in analysis.options.values.items() if key not in WITHOUT_INFLUENCE}
    return json.loads(json.dumps(options, default=str))


def _identity(lead: Analysis, upstream: Any, batches: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Everything that decides what is gathered from a batch, and which batches there are."""
    plan = lead.plan
    return json.loads(
        json.dumps(
            {
                "upstream": upstream,
                "versions": {**lead.provenance.get("versions", {}), **plan.corpus.versions},
                "corpus": {"name": plan.corpus.name, "audio": plan.audio_id, "content": plan.content_id},
                "seed": plan.seed,
                "taps": [f"{tap.name}, {tap.stride}, {tap.dim}" for tap in lead.taps],
                "statistics": {name: each.describe() for name, each in sorted(lead.gathering.statistics.items())},
                "batches": [len(batches), max(map(len, batches), default=0), sum(map(len, batches))],
            }
        )
    )


def _write_folds(expdir: str | Path, plan: Plan) -> None:
    """The folds of the run as a table, beside its results; with those by session where a measure has them."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    columns = {"fold": plan.folds.of_utterance.tolist()}
    if any(sample.unit == "speaker" for sample in plan.samples):
        left_out = plan.session_folds.left_out
        columns["session_fold"] = np.where(left_out, "", plan.session_folds.of_utterance.astype(str)).tolist()
    writer.writerow(["utterance", "speaker", *columns])
    for utterance, *fold in zip(plan.corpus.utterances, *columns.values(), strict=True):
        writer.writerow([utterance.name, utterance.speaker, *fold])
    results.replace_file(Path(expdir) / "folds.tsv", text.getvalue().encode())
