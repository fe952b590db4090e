"""The ABX error of any features on an item file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from s3prl_plugin.analysis.tokens.distances import TokenFrames, distances
from s3prl_plugin.analysis.tokens.inside import CLOSED, RULES, frames_at_rate
from s3prl_plugin.downstream.abx import items as item_files
from s3prl_plugin.downstream.abx.cells import SPEAKER, Cells, Tokens, cells, comparisons
from s3prl_plugin.downstream.abx.items import Item
from s3prl_plugin.errors import UserError, did_you_mean

ANY, TRIPHONE = CONTEXT = ("any", "triphone")


@dataclass(frozen=True, eq=False)
class AbxResult:
    """What `abx_error` found.

    Attributes:
        error: the mean by levels; 0.5 by chance.
        weighted: that of all triplets alike.
        cells: every cell, with numbers for labels and speakers.
        labels, speakers: their names.
        kept: positions of the tokens that took part, in the order of the file.
        dropped: reason -> how many tokens took no part.
        zero_frames: frames of tokens that are zero vectors; one is taken for a vector of equal entries.
    """

    error: float
    weighted: float
    cells: Cells
    labels: tuple[str, ...]
    speakers: tuple[str, ...]
    kept: np.ndarray
    dropped: dict[str, int]
    zero_frames: int


def abx_error(
    features: Mapping[str, Any],
    items: str | Path,
    frame_rate: str | int | Fraction,
    speaker: str = "within",
    context: str = "any",
    dtw: bool = True,
    rule: str = CLOSED,
) -> AbxResult:
    """The share of triplets of tokens in which x is nearer to the other label than to its own.

    Args:
        features: name of the utterance -> (T, D) frames, frame i centred at (i + 1/2) / frame_rate; arrays or tensors.
        items: an item file (`#file onset offset #phone prev-phone next-phone speaker`).
        frame_rate: frames a second, exactly: 50, "12.5", Fraction(75).
        speaker: "within" or "across".
        context: "any", or "triphone": the neighbours of all three tokens are the same.
        dtw: along the cheapest path; else tokens are the means of their frames.
        rule: which frames are inside an interval. "closed": those whose centres are, both ends included; "librilight":
            without the last of them, as in Libri-light's tool and ZeroSpeech's numbers until 2021.

    Raises:
        UserError: the file cannot be used, an utterance has no features, the task has no triplets, or the intervals
            reach over the neighbours and the context is "any", which is no task.

    Reference:
        Schatz et al. 2013; the same errors as fastabx 0.9 without sampling, to rounding.
    """
    rate = _exact(frame_rate)
    for value, known, name in ((speaker, SPEAKER, "speaker"), (context, CONTEXT, "context"), (rule, RULES, "rule")):
        if value not in known:
            raise UserError(f"abx_error: {name} is {value!r}; {did_you_mean(str(value), known)}")
    tokens = item_files.read(items)
    if context == ANY and item_files.of_triphones(tokens):
        raise UserError(
            f"{items}: its intervals reach over the neighbours (triphones), which compares only in the same context; "
            "set context to 'triphone'"
        )
    kept, frames, dropped = _frames(features, tokens, rate, rule, str(items))
    found = comparisons(_numbered([tokens[i] for i in kept], context), speaker)
    if not found:
        raise UserError(f"{items}: no triplet {speaker} speakers, context {context}; it needs {NEEDS[speaker]}")
    sequences = TokenFrames.of(np.concatenate(frames), np.array([len(each) for each in frames]), dtw)
    table = cells(found, distances(sequences, [each.block for each in found]))
    names = [sorted({getattr(tokens[i], field) for i in kept}) for field in ("label", "speaker")]
    return AbxResult(
        table.error, table.weighted, table, tuple(names[0]), tuple(names[1]), kept, dropped, sequences.zeros
    )


NEEDS = {
    "within": "a speaker with two tokens of one label and one of another",
    "across": "two speakers with a label in common, one of whom has another label too",
}


def _exact(frame_rate: str | int | Fraction) -> Fraction:
    """Frames a second."""
    if isinstance(frame_rate, str | int | Fraction) and not isinstance(frame_rate, bool):
        try:
            rate = Fraction(frame_rate)
            if rate > 0:
                return rate
        except (ValueError, ZeroDivisionError):
            pass
    raise UserError(
        f"abx_error: frame_rate is {frame_rate!r}; give frames a second exactly, as 50, '12.5' or a Fraction (a float "
        "would lose frames at the edges of intervals)"
    )


def _frames(
    features: Mapping[str, Any], tokens: Sequence[Item], rate: Fraction, rule: str, where: str
) -> tuple[np.ndarray, list[np.ndarray], dict[str, int]]:
    """Which tokens have frames, these, and why others have none."""
    dropped = {"without a frame": 0, "past the features": 0}
    kept, frames = [], []
    arrays: dict[str, np.ndarray] = {}
    for position, item in enumerate(tokens):
        if item.file not in arrays:
            if item.file not in features:
                raise UserError(f"{where}: no features of {item.file!r}; {did_you_mean(item.file, features)}")
            given = features[item.file]
            arrays[item.file] = np.asarray(given.detach().cpu() if isinstance(given, torch.Tensor) else given)
        first, last = frames_at_rate(item.onset, item.offset, rate, rule)
        if last <= first:
            dropped["without a frame"] += 1
        elif last > len(arrays[item.file]):
            dropped["past the features"] += 1
        else:
            kept.append(position)
            frames.append(cast(np.ndarray, arrays[item.file][first:last]).astype(np.float32))
    if not kept:
        raise UserError(f"{where}: no token has a frame inside the features; is {rate} frames a second right?")
    return np.array(kept), frames, dropped


def _numbered(tokens: Sequence[Item], context: str) -> Tokens:
    """Labels, speakers and contexts as numbers, in the order of their names."""
    label, speaker = (
        np.unique([getattr(item, field) for item in tokens], return_inverse=True)[1] for field in ("label", "speaker")
    )
    around = [(item.before, item.after) if context == TRIPHONE else ("", "") for item in tokens]
    number = {each: i for i, each in enumerate(sorted(set(around)))}
    return Tokens(label, speaker, np.array([number[each] for each in around]))
