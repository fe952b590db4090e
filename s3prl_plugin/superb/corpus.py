"""The corpus of a task: a folder in the layout that s3prl's downstream reads."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s3prl_plugin import config as configuration
from s3prl_plugin import corpora
from s3prl_plugin.corpora import fingerprint, folders
from s3prl_plugin.corpora.fingerprint import Fingerprint
from s3prl_plugin.corpora.readers.from_folder import AUDIO
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import training_data
from s3prl_plugin.superb.tasks import Task

GENERATED = "generated"
_ABOUT = "layout.yaml"  # beside every corpus that this plugin laid out


@dataclass(frozen=True, slots=True)
class TaskCorpus:
    """A corpus in a task's layout.

    Attributes:
        root: its folder.
        name, kind: as in a results row.
        made: the folder of what was made for the task besides: `root` itself where this plugin laid the corpus out.
        laid_out: whether it did.
        versions: of another package that read the corpus which was laid out; see `registry.origin`.
    """

    root: Path
    name: str
    kind: str
    made: Path
    laid_out: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)


def with_corpus(provided: Mapping[str, Any], corpus: TaskCorpus, split: str) -> dict[str, Any]:
    """The fields of a row that describe the upstream, and those that describe a split of a task's corpus."""
    heard = training_data.of_corpus(provided.get("training_data"), provided.get("pretraining"), corpus.name, split)
    about = {"corpus": corpus.name, "corpus_kind": corpus.kind, "split": split}
    return {**provided, **about, "training_data": heard}


def corpus_of(task: Task, suite: Mapping[str, Any]) -> str:
    """The corpus that a suite names for a task: the task's own, else the suite's, else generated speech.

    Raises:
        UserError: the task's own stands there and is empty: a configuration that waits to be filled in.
    """
    chosen = (suite.get("tasks") or {}).get(task.name) or {}
    if "corpus" in chosen and not chosen["corpus"]:
        raise UserError(f"suite.tasks.{task.name}.corpus is empty: name {_folder_of(task)}, or leave the task out")
    return str(chosen.get("corpus") or suite.get("corpus") or GENERATED)


def audio_of(root: Path, known: Mapping[str, Fingerprint]) -> tuple[str, dict[str, Fingerprint]]:
    """What tells the audio below a folder from other audio: a short name, and every file's fingerprint.

    Args:
        root: of a task's corpus.
        known: of an earlier time, which spares reading files again.
    """
    files = {path.relative_to(root).as_posix(): path for ending in AUDIO for path in folders.find(root, ending)}
    found = fingerprint.of_files(files, known)
    said = "".join(f"{name} {found[name].digest}\n" for name in sorted(found))
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:16], found


def prepare(task: Task, spec: str, folder: Path) -> TaskCorpus:
    """The corpus that a suite names for a task, ready to be read.

    Args:
        task: which reads it.
        spec: a folder that already has the task's layout (a real SUPERB corpus); `generated`; or, where the task can
            do with any corpus of its kind, what `corpora.open_corpus` takes: such a corpus is laid out for the task.
        folder: where what has to be made goes.

    Raises:
        UserError: there is no such corpus, or the task cannot use it.
    """
    folder = folder.absolute()  # paths get into the task's settings, which decide whether a run is the same
    layout = importlib.import_module(f"s3prl_plugin.corpora.generated.layouts.{task.layout}")
    name = task.layout
    path = Path(spec).expanduser()
    if path.is_dir() and all((path / needed).exists() for needed in task.needs):
        return _as_it_is(layout, path.resolve(), folder, name)
    if hasattr(layout, "generate"):
        if spec != GENERATED:
            raise UserError(f"{task.name}: corpus {spec}: this is not {_folder_of(task)}; name it, or `{GENERATED}`")
        root = layout.generate(folder / name)
        return TaskCorpus(root, GENERATED, GENERATED, root, laid_out=True)
    corpus = _open(task, spec)
    root = layout.write(corpus, folder / name)
    return TaskCorpus(root, corpus.name, corpus.kind, root, laid_out=True, versions=corpus.versions)


def _as_it_is(layout: Any, root: Path, folder: Path, name: str) -> TaskCorpus:
    """A corpus that has the layout: published, or laid out by this plugin before."""
    about = root / _ABOUT
    if about.is_file():
        said = configuration.read(about)
        if not all(isinstance(said.data.get(key), str) for key in ("corpus", "kind")):
            raise UserError(f"{about}: does not say which corpus this is; lay it out anew")
        versions = said.section("versions")
        return TaskCorpus(root, said.data["corpus"], said.data["kind"], root, laid_out=True, versions=versions)
    made = folder / f"{name}-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"
    if hasattr(layout, "complete"):
        layout.complete(root, made)
    return TaskCorpus(root, root.name, "real", made)


def _open(task: Task, spec: str) -> corpora.Corpus:
    """Any corpus, of which the task's layout can be made."""
    try:
        return corpora.open_corpus(spec)
    except UserError as error:
        raise UserError(f"{task.name}: {error}; or name {_folder_of(task)}") from None


def _folder_of(task: Task) -> str:
    """The task's published corpus, in words."""
    return f"the folder of {task.dataset} that holds {', '.join(task.needs)}"
