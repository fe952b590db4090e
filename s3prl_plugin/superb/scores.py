"""What a task's downstream logs, and the results rows made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.superb.corpus import TaskCorpus, with_corpus
from s3prl_plugin.superb.record import Record
from s3prl_plugin.superb.tasks import Task


class ScalarRecorder:
    """Stands where s3prl's runner passes a tensorboard writer, and keeps the scalars."""

    def __init__(self) -> None:
        self.scalars: dict[str, float] = {}

    def add_scalar(self, tag: str, scalar_value: float, global_step: int | None = None, **_: Any) -> None:
        """Keep the last value logged under `tag`."""
        self.scalars[tag] = float(scalar_value)

    def __getattr__(self, name: str) -> Any:
        """Every other `add_...` of a writer (text, audio, figures) is of no interest here."""
        if name.startswith("add_") or name in ("flush", "close"):
            return lambda *args, **kwargs: None
        raise AttributeError(name)


def rows(task: Task, record: Record, provided: Mapping[str, Any], corpus: TaskCorpus) -> list[results.Row]:
    """The results rows of a finished task.

    Args:
        provided: the fields of a row that describe the upstream.
        corpus: what the task was trained and scored on.

    Raises:
        UserError: the downstream did not log one of the task's scores.
    """
    found = []
    published = corpus.kind == "real" and not corpus.laid_out
    for score in task.scores:
        if score.tag not in record.scalars:
            raise UserError(
                f"{task.name}: {record.folder} was scored without {score.tag} ({', '.join(sorted(record.scalars))}); "
                "if it was by an earlier version, remove the folder, and run the task again"
            )
        found.append(
            results.Row(
                **with_corpus(provided, corpus, task.split),
                downstream=task.downstream,
                measure=task.name,
                score=task.score_name(score, record.settings),
                headline=score.headline,
                task_checkpoint=record.checkpoint,
                folds=len(task.parts) or None,
                seed=record.seed,
                value=record.scalars[score.tag],
                unit=score.unit,
                higher_is_better=score.higher_is_better,
                features=record.features_name,
                options_id=record.options_id,
                published_corpus=published,
                changed_settings=task.changed(record.settings, corpus) if published else None,
                predictions=task.kept(record.folder),
            )
        )
    return found
