"""By which measures a tap is chosen for a task, and how well that is known to work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from s3prl_plugin.errors import UserError, did_you_mean

PASAD = "arXiv 2211.03929"


@dataclass(frozen=True, slots=True)
class Criterion:
    """How taps are chosen for a task.

    Attributes:
        task: PR, ASR, SID, ...
        title: in words.
        measures: the first one decides where they disagree.
        evidence: how well it is known to work, in a word.
        because: the same in a sentence.
    """

    task: str
    title: str
    measures: tuple[str, ...]
    evidence: str
    because: str


_REPORTED = f"layers chosen by it did well in {PASAD}"
_SPEAKER = (
    "nobody we know of has tested it: what tells speakers apart need not be what this head can use; CCA needs more "
    "utterances than a layer has dimensions, the linear probe does not"
)
_KEYWORDS = "keywords are words, as intents are of words, and a few phones tell them apart"
_SPECTRUM = "a head needs phase and detail, too, which the measure does not see; take it as a hint"

_PHONES = "the measures are of what the task asks for, phones; that ABX, without training, follows it is by analogy"

CRITERIA: Mapping[str, Criterion] = {
    each.task: each
    for each in (
        Criterion("PR", "phone recognition", ("cca_phone", "mi_phone", "abx_phone"), "by content", _PHONES),
        Criterion(
            "QbE",
            "query-by-example spoken term detection",
            ("cca_phone", "mi_phone", "abx_phone"),
            "by content",
            "terms are matched as sequences of phones, by distances as in ABX (by analogy: no paper shows it); "
            "the head has no training that could weaken the tie",
        ),
        Criterion("ASR", "speech recognition", ("cca_word", "cca_phone"), "reported", _REPORTED),
        Criterion("IC", "intent classification", ("cca_word",), "reported", _REPORTED),
        Criterion("SF", "slot filling", ("cca_word",), "reported", _REPORTED),
        Criterion("KS", "keyword spotting", ("cca_word", "cca_phone"), "by analogy", _KEYWORDS),
        Criterion("SID", "speaker identification", ("cca_speaker", "probe_speaker"), "unverified", _SPEAKER),
        Criterion("ASV", "speaker verification", ("cca_speaker", "probe_speaker"), "unverified", _SPEAKER),
        Criterion("SD", "speaker diarization", ("cca_speaker", "probe_speaker"), "unverified", _SPEAKER),
        Criterion("SE", "speech enhancement", ("cca_mel",), "weak", _SPECTRUM),
        Criterion("SS", "source separation", ("cca_mel",), "weak", _SPECTRUM),
        Criterion("PR39", "recognition of 39 phones", ("cca_phone", "mi_phone", "abx_phone"), "by content", _PHONES),
    )
}
WITHOUT = {
    "ER": "ER: no measure here is known to tell which tap is good for emotion recognition, so none is chosen; the "
    "weighted sum of all taps is SUPERB's way (`-s hidden_states`)",
}
"""Tasks for which there is no criterion, and why."""


def criterion(task: str) -> Criterion:
    """How taps are chosen for a task.

    Args:
        task: its name in any case.

    Raises:
        UserError: there is no such task, or no criterion for it.
    """
    names = {name.lower(): name for name in (*CRITERIA, *WITHOUT)}
    name = names.get(task.strip().lower())
    if name is None:
        near = did_you_mean(task.strip().lower(), names)
        for lower, proper in names.items():
            near = near.replace(f"'{lower}'", f"'{proper}'")
        known = ", ".join((*CRITERIA, *WITHOUT))
        raise UserError(f"--task {task}: there is no such task; {near if 'mean' in near else f'known: {known}'}")
    if name in WITHOUT:
        raise UserError(WITHOUT[name])
    return CRITERIA[name]
