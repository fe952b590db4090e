"""The tokens of a user's item file as those of a corpus: its `#file` are names of the corpus's utterances."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.tokens.drawing import Candidates, hashed
from s3prl_plugin.analysis.tokens.inside import CLOSED
from s3prl_plugin.downstream.abx import items
from s3prl_plugin.downstream.abx.items import Item
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.strides import SAMPLE_RATE, Stride

PAST = "past the audio"


def read(path: str | Path, plan: Plan, coarsest: Stride, rule: str = CLOSED) -> tuple[Candidates, bool]:
    """All tokens of a file that lie in the audio; its times are kept exactly, as fractions of a sample.

    Args:
        path: of the item file.
        plan: of the run.
        coarsest: stride of the lowest frame rate; a token that ends two such frames past the audio has frames at none.
        rule: which frames are inside a token; one of `inside.RULES`.

    Returns:
        the tokens, in the order of the corpus's utterances, and whether they reach over their neighbours.

    Raises:
        UserError: the file cannot be used, names utterances that the corpus has not, or has no token in the audio.
    """
    found = items.read(path)
    position = {utterance.name: i for i, utterance in enumerate(plan.corpus.utterances)}
    if unknown := sorted({item.file for item in found} - position.keys()):
        raise UserError(
            f"{path}: it names {len(unknown)} utterances that corpus {plan.corpus.name} does not have, such as "
            f"{unknown[0]!r}; {did_you_mean(unknown[0], position)}"
        )
    ends = [math.ceil(seconds * SAMPLE_RATE) + 2 * coarsest for seconds in plan.seconds.tolist()]
    inside = [item for item in found if item.offset * SAMPLE_RATE <= ends[position[item.file]]]
    if not inside:
        first, audio_s = found[0], plan.seconds[position[found[0].file]]
        raise UserError(
            f"{path}: all {len(found)} tokens end past their utterance's audio: the first at {float(first.offset):g} s "
            f"of {first.file}, which is {audio_s:.2f} s long; times must be seconds"
        )
    inside.sort(key=lambda item: position[item.file])
    left_out = {PAST: len(found) - len(inside)} if len(inside) < len(found) else {}
    return _candidates(inside, position, plan.seed, len(found), left_out, rule), items.of_triphones(found)


def _candidates(
    inside: list[Item], position: dict[str, int], seed: int, found: int, left_out: dict[str, int], rule: str
) -> Candidates:
    """As numbers and names."""
    labels, label = np.unique([item.label for item in inside], return_inverse=True)
    speakers, speaker = np.unique([item.speaker for item in inside], return_inverse=True)
    around = [(item.before, item.after) for item in inside]
    contexts = sorted(set(around))
    number = {each: i for i, each in enumerate(contexts)}
    return Candidates(
        utterance=np.array([position[item.file] for item in inside]),
        speaker=speaker,
        speakers=tuple(speakers.tolist()),
        start=np.array([item.onset * SAMPLE_RATE for item in inside], dtype=object),
        end=np.array([item.offset * SAMPLE_RATE for item in inside], dtype=object),
        label=label,
        labels=tuple(labels.tolist()),
        context=np.array([number[each] for each in around]),
        contexts=tuple(contexts),
        order=hashed(seed, [(item.file, str(item.onset), str(item.offset), item.label) for item in inside]),
        found=found,
        left_out=left_out,
        rule=rule,
    )
