"""The SUPERB tasks a suite can run, through s3prl's own downstreams."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin import config as configuration
from s3prl_plugin.config import setting_names
from s3prl_plugin.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from s3prl_plugin.superb.corpus import TaskCorpus

NOT_HERE = {
    "ST": "speech translation needs fairseq, which does not import on Python 3.11; leave it out",
    "SE": "speech enhancement, a task of SUPERB-SG, comes later; leave it out",
    "SS": "speech separation, a task of SUPERB-SG, comes later; leave it out",
}
"""Tasks that are asked for and cannot be run, and why."""

WITHOUT_EFFECT = ("num_workers", "max_workers", "log_step", "max_keep")
"""Settings that a score does not depend on; `max_keep` it does where every checkpoint is scored."""

FREE = "optimizer.lr"
"""The setting that SUPERB leaves free, by powers of ten."""

OWN = "{own}"


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One score of a task: the tag under which s3prl's downstream logs it, and how to read it.

    Attributes:
        own: its name where the labels are not those of the task's own vocabulary; None where that changes nothing.
    """

    name: str
    tag: str
    unit: str
    higher_is_better: bool
    headline: bool = False
    own: str | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One SUPERB task.

    Attributes:
        name: PR, ASR, SID, ...
        title: in words.
        downstream: s3prl's name of it (`-d`).
        config: the file in configs/superb that holds its published settings.
        dataset: the published corpus.
        layout: the module in corpora/generated/layouts that knows the corpus's layout.
        needs: what lies in a folder of that layout.
        corpus: dotted keys of its settings that depend on the corpus, with `{root}` (the corpus's folder), `{made}`
            (the folder of what was made for it) and `{own}` (this plugin's folder of vocabularies) in their values.
        laid_out: such keys for a corpus that this plugin laid out, besides or in place of those of `corpus`.
        named: keys of which a user has to name one under `override`, for the published corpus does not come with it.
        split: the split that is scored in the end.
        scores: what it logs there.
        vocabulary: the dotted key of the file of labels that make the task what it is; None where there is none.
        procedure: how it is run, a function of `procedures`.
        best: the checkpoint that its downstream keeps as the best on the dev set.
        parts: of a task that is several runs: a run's name -> dotted keys of its settings.
        scorer: the module in s3prl_plugin/superb that scores what the downstream leaves unscored.
        predictions: files that every evaluation writes anew, and of which those of the reported one are to be kept;
            patterns below the task's folder, `{part}` for the name of every one of its parts.
        submitted: what the leaderboard takes: its name there -> the file, or pattern of files, below the task's folder.
        cropped: the dotted key of the samples to which training cuts longer utterances, somewhere else every time.
        frame_rate: what it counts frames for, one of `rates.RULES`.
    """

    name: str
    title: str
    downstream: str
    config: str
    dataset: str
    layout: str
    needs: tuple[str, ...]
    corpus: Mapping[str, str]
    split: str
    scores: tuple[TaskScore, ...]
    laid_out: Mapping[str, str] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    vocabulary: str | None = None
    procedure: str = "trained"
    best: str = "dev-best.ckpt"
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scorer: str | None = None
    predictions: tuple[str, ...] = ()
    submitted: Mapping[str, str] = field(default_factory=dict)
    cropped: str | None = None
    frame_rate: str = "any"

    @property
    def headline(self) -> TaskScore:
        """The score that tables show."""
        return next(score for score in self.scores if score.headline)

    def settings(self, chosen: Mapping[str, Any], corpus: TaskCorpus) -> dict[str, Any]:
        """The configuration of this task for s3prl's runner.

        Args:
            chosen: what a suite says of the task: `config` (a file in place of the published settings) and
                `override` (settings that differ from it).
            corpus: what the task is trained and scored on.

        Raises:
            UserError: a file is missing, or `override` names a setting that the task does not have.
        """
        path = Path(chosen["config"]) if chosen.get("config") else self._own / self.config
        read = configuration.read(path)
        setting_names.check_file(read, self.downstream)
        settings = read.data
        places = {"root": corpus.root, "made": corpus.made, "own": self._own}
        for dotted, value in self._depends_on(corpus).items():
            put(settings, dotted, value.format(**places))
        merge(settings, chosen.get("override") or {}, where=f"suite.tasks.{self.name}.override")
        return settings

    def check(self, settings: Mapping[str, Any], corpus: TaskCorpus) -> None:
        """Refuse settings that name a file or folder that is not there, or none where one is needed.

        Raises:
            UserError: with the key under which another one can be named.
        """
        setting_names.check(settings, self.downstream, lambda _, message: UserError(f"{self.name}: {message}"))
        given = [dotted for dotted in self.named if get(settings, dotted) is not None]
        if self.named and not corpus.laid_out and not given:
            keys = " or ".join(self.named)
            raise UserError(
                f"{self.name}: {self.dataset} does not come with {keys}; name one under "
                f"suite.tasks.{self.name}.override"
            )
        for dotted in (*self._depends_on(corpus), *given):
            for path in _paths(get(settings, dotted)):
                if not Path(path).exists():
                    raise UserError(
                        f"{self.name}: {path}: no such file or folder; put it there or name another under "
                        f"suite.tasks.{self.name}.override: {dotted}"
                    )

    def steps(self, settings: Mapping[str, Any]) -> int:
        """All steps of its training, over its parts; 0 where nothing is trained."""
        return (settings.get("runner") or {}).get("total_steps", 0) * max(1, len(self.parts))

    def part(self, settings: Mapping[str, Any], name: str) -> dict[str, Any]:
        """The settings of one of the task's runs."""
        changed = copy.deepcopy(dict(settings))
        for dotted, value in self.parts[name].items():
            put(changed, dotted, value)
        return changed

    def changed(self, settings: Mapping[str, Any], corpus: TaskCorpus) -> list[str]:
        """The dotted keys under which other settings stand than the published ones, where they can matter to a score.

        Args:
            settings: of a run.
            corpus: what it was trained and scored on.
        """
        published = self.settings({}, corpus)
        about_corpus = self._depends_on(corpus)
        found = []
        for key in _differences(published, settings):
            name, wanted, given = key.rpartition(".")[2], get(published, key), get(settings, key)
            if name in WITHOUT_EFFECT and not (name == "max_keep" and self.procedure == "every_checkpoint"):
                continue
            if key in self.named or (key in about_corpus and OWN not in about_corpus[key]):
                continue
            if OWN in about_corpus.get(key, "") and _same_file(wanted, given):
                continue
            free = key == FREE and _by_powers_of_ten(wanted, given)
            found.append(f"{key}={given:g} (published {wanted:g})" if free else key)
        return found

    def score_name(self, score: TaskScore, settings: Mapping[str, Any]) -> str:
        """What a score is called: with other labels than the task's own it is the score of another task.

        Args:
            settings: of the run.
        """
        if self.vocabulary is None or score.own is None:
            return score.name
        own = self._own / self.corpus[self.vocabulary].removeprefix(f"{OWN}/")
        return score.name if _same_file(own, get(settings, self.vocabulary)) else score.own

    def kept(self, folder: Path) -> list[str]:
        """Which of the prediction files are in the task's folder: their names below it, or the pattern of several."""
        wanted = [file.format(part=part) for part in self.parts or [""] for file in self.predictions]
        return [file for file in wanted if any(folder.glob(file))]

    def crop_samples(self, settings: Mapping[str, Any]) -> int | None:
        """The samples to which training cuts longer utterances; None where it does not, or not to a fixed length."""
        return get(settings, self.cropped) if self.cropped else None

    @property
    def _own(self) -> Path:
        """This plugin's folder of settings and vocabularies."""
        return configuration.packaged("configs", "superb", self.config).parent

    def _depends_on(self, corpus: TaskCorpus) -> dict[str, str]:
        """The keys that depend on the corpus, and their values."""
        return {**self.corpus, **(self.laid_out if corpus.laid_out else {})}


@cache
def tasks() -> dict[str, Task]:
    """Every task by name, as configs/superb/tasks.yaml describes them."""
    described = configuration.read(configuration.packaged("configs", "superb", "tasks.yaml")).data
    found = {}
    for name, entry in copy.deepcopy(described).items():
        scores = tuple(TaskScore(name=score, **spec) for score, spec in entry.pop("scores").items())
        lists: dict[str, Any] = {key: tuple(entry.pop(key, ())) for key in ("needs", "named", "predictions")}
        found[name] = Task(name=name, scores=scores, **lists, **entry)
    return found


def task(name: str) -> Task:
    """The task of that name.

    Raises:
        UserError: there is none, or it cannot be run.
    """
    if name in NOT_HERE:
        raise UserError(f"suite.tasks.{name}: {NOT_HERE[name]}")
    if name not in tasks():
        raise UserError(f"suite.tasks: there is no task {name!r}; {did_you_mean(name, tasks())}")
    return tasks()[name]


def refuse_unavailable(config: configuration.Config) -> None:
    """Refuse a suite that asks for a task of SUPERB's that cannot be run here.

    Raises:
        UserError: naming file, line and reason.
    """
    for name in config.section("suite", "tasks"):
        if name in NOT_HERE:
            raise config.error(("suite", "tasks", name), f"suite.tasks.{name}: {NOT_HERE[name]}")


def get(settings: Mapping[str, Any], dotted: str) -> Any:
    """What stands in nested settings under a dotted key; None where nothing does."""
    found: Any = settings
    for key in dotted.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def put(settings: dict[str, Any], dotted: str, value: Any) -> None:
    """Put a value into nested settings under a dotted key."""
    *parents, last = dotted.split(".")
    section = settings
    for parent in parents:
        section = section.setdefault(parent, {})
    section[last] = value


def merge(settings: dict[str, Any], changes: Mapping[str, Any], where: str) -> None:
    """Put `changes` into nested `settings`; a key that the settings do not have is refused.

    Raises:
        UserError: naming the key under `where`, with what may have been meant.
    """
    for key, value in changes.items():
        if key not in settings:
            raise UserError(f"{where}: unknown setting {key!r}; {did_you_mean(str(key), map(str, settings))}")
        if isinstance(settings[key], dict) and isinstance(value, Mapping):
            merge(settings[key], value, f"{where}.{key}")
        else:
            settings[key] = value


def _differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """The dotted keys under which two settings differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys([*one, *other]):
            yield from _differences(one.get(key), other.get(key), f"{where}.{key}".lstrip("."))
    elif one != other:
        yield where


def _same_file(one: Any, other: Any) -> bool:
    """Whether two paths name files with the same content."""
    try:
        return Path(one).read_bytes() == Path(other).read_bytes()
    except (OSError, TypeError):  # one is gone, or none is named
        return False


def _by_powers_of_ten(one: Any, other: Any) -> bool:
    """Whether two learning rates differ by a power of ten."""
    if not all(isinstance(rate, int | float) and rate > 0 for rate in (one, other)):
        return False
    power = math.log10(other / one)
    return math.isclose(power, round(power), abs_tol=1e-9)


def _paths(value: Any) -> Iterator[str]:
    """The paths among what stands under a key: one, several, or none."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield item
