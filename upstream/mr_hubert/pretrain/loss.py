"""The loss of masked unit prediction: which unit a hidden frame belongs to, told by the angle to each unit's vector.

With u_k the vector of unit k and p the projected frame, the logit of k is cos(p, u_k) / temperature; the loss is the
cross-entropy over all K units and fairseq's four special symbols, which are never right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SPECIALS = 4
"""fairseq's dictionary begins with <s>, <pad>, </s> and <unk>: unit k is its row k + 4."""


class LossPart(NamedTuple):
    """One resolution's share of a batch's loss.

    Attributes:
        cross_entropy: () the sum over the frames that were asked for.
        correct: () how many of them were told right.
    """

    cross_entropy: Tensor
    correct: Tensor


class Sums(NamedTuple):
    """What the loss of a batch is made of.

    Attributes:
        parts: per predicted resolution, finest first.
        squares: () the sum over the front end's valid frames of the mean square of its channels.
    """

    parts: list[LossPart]
    squares: Tensor


class UnitHead(nn.Module):
    """Tells units from frames at one resolution.

    Args:
        dim: of the frames.
        final_dim: of the units' vectors.
        classes: K.
        temperature: of the logits.
    """

    def __init__(self, dim: int, final_dim: int, classes: int, temperature: float):
        super().__init__()
        self.classes = classes
        self.temperature = temperature
        self.projection = nn.Linear(dim, final_dim)
        self.embeddings = nn.Parameter(torch.empty(classes + SPECIALS, final_dim))

    def logits(self, x: Tensor) -> Tensor:
        """(S, dim) -> (S, K + 4), never in half precision."""
        with torch.autocast(x.device.type, enabled=False):
            frames = F.normalize(self.projection(x.to(self.embeddings.dtype)), dim=1, eps=1e-8)
            return frames @ F.normalize(self.embeddings, dim=1, eps=1e-8).T / self.temperature

    def forward(self, x: Tensor, units: Tensor) -> LossPart:
        """The loss of frames (S, dim) whose units are (S,)."""
        if not len(units):
            return LossPart(x.sum() * 0, units.sum())
        logits = self.logits(x)
        right = units + SPECIALS
        with torch.no_grad():
            correct = (logits.argmax(1) == right).sum()
        return LossPart(F.cross_entropy(logits, right, reduction="sum"), correct)

    def reset_parameters(self) -> None:
        """HuBERT's initialisation."""
        self.projection.reset_parameters()
        nn.init.uniform_(self.embeddings)


def combined(sums: Sums, counts: Tensor, kind: str, lambdas: Sequence[float], penalty: float) -> Tensor:
    """The loss.

    Args:
        sums: of a batch, or of one share of it.
        counts: (R + 1,) of the whole batch: frames asked for per resolution, and the front end's frames.
        kind: "mean": sum over r of lambda_r CE_r / count_r; "fairseq": sum over r of CE_r / count_0.
        lambdas: of "mean".
        penalty: weight of the mean square of the front end's output.
    """
    asked = counts[:-1].clamp(min=1).tolist()
    if kind == "fairseq":
        weights = [1 / asked[0]] * len(sums.parts)
    else:
        weights = [weight / count for weight, count in zip(lambdas, asked, strict=True)]
    loss = sums.squares * (penalty / max(float(counts[-1]), 1.0))
    for part, weight in zip(sums.parts, weights, strict=True):
        loss = loss + part.cross_entropy * weight
    return loss
