"""SUPERB tasks: their published settings, their corpora, a run of one, and its scores."""

from s3prl_plugin.superb.corpus import TaskCorpus, corpus_of, prepare
from s3prl_plugin.superb.procedures import run
from s3prl_plugin.superb.record import Record
from s3prl_plugin.superb.scores import ScalarRecorder, rows
from s3prl_plugin.superb.suite import SuiteTask, asked, check_name, choose
from s3prl_plugin.superb.tasks import NOT_HERE, Task, TaskScore, refuse_unavailable, task, tasks
from s3prl_plugin.superb.weights import rows as weight_rows

__all__ = [
    "NOT_HERE",
    "Record",
    "ScalarRecorder",
    "SuiteTask",
    "Task",
    "TaskCorpus",
    "TaskScore",
    "asked",
    "check_name",
    "choose",
    "corpus_of",
    "prepare",
    "refuse_unavailable",
    "rows",
    "run",
    "task",
    "tasks",
    "weight_rows",
]
