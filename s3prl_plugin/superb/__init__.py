"""SUPERB tasks: their published settings, their corpora, a run of one, and its scores."""

from s3prl_plugin.superb.corpus import TaskCorpus, corpus_of, prepare
from s3prl_plugin.superb.procedures import run
from s3prl_plugin.superb.record import Record
from s3prl_plugin.superb.scores import ScalarRecorder, rows
from s3prl_plugin.superb.suite import Asked, asked
from s3prl_plugin.superb.tasks import NOT_HERE, Score, Task, refuse_unavailable, task, tasks

__all__ = [
    "NOT_HERE",
    "Asked",
    "Record",
    "ScalarRecorder",
    "Score",
    "Task",
    "TaskCorpus",
    "asked",
    "corpus_of",
    "prepare",
    "refuse_unavailable",
    "rows",
    "run",
    "task",
    "tasks",
]
