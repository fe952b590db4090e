"""One ABX task of a corpus: which tokens it is about, before anything is heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from s3prl_plugin.analysis.tokens.drawing import Candidates
from s3prl_plugin.downstream.abx.cells import Tokens
from s3prl_plugin.downstream.abx.error import TRIPHONE
from s3prl_plugin.strides import Stride


@dataclass(frozen=True)
class Task:
    """The tokens of a unit, compared in one context.

    Attributes:
        unit: "phone", "word" or "items".
        context: "any" or "triphone".
        candidates: all tokens that may be compared.
        strides: of all taps, and further ones: the tokens that all of them keep are the same for every tap.
        most: at most so many tokens of a speaker and label (and context); None: all.
    """

    unit: str
    context: str
    candidates: Candidates
    strides: tuple[Stride, ...]
    most: int | None

    @cached_property
    def common(self) -> np.ndarray:
        """(N,) which are drawn among the tokens that have a frame at every rate."""
        return self._drawn(self.strides)

    @cached_property
    def own(self) -> dict[Stride, np.ndarray]:
        """Stride -> (N,) which are drawn among the tokens that have a frame at that rate."""
        return {stride: self._drawn([stride]) for stride in self.strides}

    @property
    def wanted(self) -> np.ndarray:
        """(N,) which are drawn for any rate."""
        return np.any([self.common, *self.own.values()], axis=0)

    def tokens(self, which: np.ndarray) -> Tokens:
        """Some of them, as numbers.

        Args:
            which: (n,) positions among the candidates.
        """
        of = self.candidates
        context = of.context[which] if self.context == TRIPHONE else np.zeros(len(which), dtype=np.int64)
        return Tokens(of.label[which], of.speaker[which], context)

    def _drawn(self, strides: Iterable[Stride]) -> np.ndarray:
        allowed = self.candidates.have_frames(strides)
        return self.candidates.drawn(self.most, allowed, self.context == TRIPHONE)
