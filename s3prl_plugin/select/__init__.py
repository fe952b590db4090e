"""Which tap to take for a task: chosen by what taps hold, written as a ready configuration, verified by heads."""

from s3prl_plugin.select.criteria import CRITERIA, Criterion, criterion
from s3prl_plugin.select.recommendation import PREFERENCES, Recommendation, recommend
from s3prl_plugin.select.source import Source, sources

__all__ = [
    "CRITERIA",
    "PREFERENCES",
    "Criterion",
    "Recommendation",
    "Source",
    "criterion",
    "recommend",
    "sources",
]
