"""Segments in two halves, one to learn clusters on and one to score: the options that size them, and the draw."""

from __future__ import annotations

from typing import Any

from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.planning.labels import FEWEST_TOKENS
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.config.schema import whole

_TOKENS = {
    "phone": "phone_tokens_per_half",
    "word": "word_tokens_per_half",
    "speaker": "speaker_utterances_per_half",
}
_CLASSES = {"word": "word_types", "speaker": "speakers"}


def option_types(*units: str) -> dict[str, Any]:
    """The options that size the halves of these units ("phone", "word", "speaker")."""
    tokens = dict.fromkeys((_TOKENS[unit] for unit in units), whole(FEWEST_TOKENS) | None)
    return tokens | dict.fromkeys((_CLASSES[unit] for unit in units if unit in _CLASSES), whole(2) | None)


def half_sample(plan: Plan, options: Options, unit: str) -> Sample:
    """The segments of a unit ("phone", "word", "speaker"); the same ones for equal options."""
    classes = options[_CLASSES[unit]] if unit in _CLASSES else None
    return plan.sample(unit, options[_TOKENS[unit]], classes, halves=True)
