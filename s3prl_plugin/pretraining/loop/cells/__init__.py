"""Several trainings from one file: the cells of an experiment, each with every seed."""

from s3prl_plugin.pretraining.loop.cells.plan import asked
from s3prl_plugin.pretraining.loop.cells.running import run

__all__ = ["asked", "run"]
