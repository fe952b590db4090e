"""Which utterances may be computed together: those whose states others in the batch do not change.

With or without an attention mask, an utterance beside a longer one gives other states in many networks: group
normalisation over time, and convolutions that see padding. Utterances of one length always agree with those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from s3prl_plugin.states.taps import States
from s3prl_plugin.strides import SAMPLE_RATE

# Lengths of an utterance beside a longer one; at a number of frames that inner factors divide, much looks exact.
LENGTHS = (16000, 16160, 16617, 17777, 24111)
BESIDE = 3 * SAMPLE_RATE
# Of the states' standard deviation: what rounding makes is below, what padding makes above.
TOLERANCE = 2e-5


def moved_by_others(states: Callable[[list[Tensor]], list[list[Tensor]]], device: str | torch.device) -> float:
    """How far a longer utterance in the same batch moves the states of a shorter one.

    Args:
        states: of a batch, per tap and utterance, (T, D).
        device: where the network is.

    Returns:
        The largest difference to the states alone, in their standard deviations; the first one that is more than
        rounding makes.
    """
    worst = 0.0
    for i, samples in enumerate(LENGTHS):
        short, long = (_noise(n, seed).to(device) for n, seed in ((samples, i), (BESIDE, -1 - i)))
        alone, both = states([short]), states([short, long])
        for (x,), (y, _) in zip(alone, both, strict=True):
            frames = min(len(x), len(y))
            difference = float((x[:frames] - y[:frames]).abs().max() / x.std().clamp(min=1e-30))
            worst = max(worst, difference if len(y) >= len(x) else float("inf"))
        if not worst <= TOLERANCE:
            return worst
    return worst


def of_one_length(lengths: Sequence[int]) -> list[list[int]]:
    """The positions of the utterances of each length."""
    groups: dict[int, list[int]] = {}
    for i, samples in enumerate(lengths):
        groups.setdefault(samples, []).append(i)
    return list(groups.values())


def side_by_side(utterances: Sequence[Tensor]) -> Tensor:
    """Utterances, (T, ...) each, as a batch; a shorter one repeats its last frame, as s3prl's featurizer would."""
    longest = max(len(x) for x in utterances)
    pieces = [piece for x in utterances for piece in (x, x[-1:].expand(longest - len(x), *x.shape[1:]))]
    return torch.cat(pieces).unflatten(0, (len(utterances), longest))  # copied once


def held(states: States) -> States:
    """States in which every utterance's last frame repeats past its end: s3prl's featurizer often takes one more.

    They are changed in place where no gradient is asked for: what is frozen asks for none itself, but the layer above
    it does, and keeps its input for that.
    """
    tensors = []
    for x, lengths in zip(states.tensors, states.lengths, strict=True):
        ends = lengths.to(x.device)
        rows, frames = (torch.arange(x.shape[1], device=x.device) >= ends[:, None]).nonzero(as_tuple=True)
        if len(rows):
            x = x.clone() if torch.is_grad_enabled() else x
            x[rows, frames] = x[rows, ends[rows] - 1]
        tensors.append(x)
    return States(states.taps, tensors, states.lengths, states.waveforms)


def said(moved: float) -> str:
    """What a user is told of an upstream whose states others move."""
    return (
        f"beside a longer one, an utterance's states move by {moved:.2g} standard deviations; different lengths are "
        "computed apart"
    )


def _noise(samples: int, seed: int) -> Tensor:
    """The same every time; torch's random state stays as it is."""
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))
