"""The frames of chosen tokens at every tap, or their means, each at its own rate: memory is bounded by the tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.tokens.inside import CLOSED, frames_inside
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import Stride


class KeptTokens:
    """All frames inside the tokens, filled as batches come.

    Args:
        taps: whose frames are kept.
        upstream_taps: of the upstream, whichever are kept: what all of them have does not depend on the choice.
        utterance: (N,) positions of the tokens' utterances in the corpus, increasing.
        start, end: (N,) samples.
        pooled: keep the mean of a token's frames only.
        rule: which frames are inside; one of `inside.RULES`.

    Attributes:
        taps: as given.
        count: stride -> (N,) frames of every token at that rate; 0 where no centre of a frame lies in it.
        seen: (N,) true where a token's utterance came by.
        past: (taps, N) true where a token ends past a tap's frames, so that it has none.
        past_any: (N,) the same of any tap of the upstream.
    """

    def __init__(
        self,
        taps: Sequence[Tap],
        upstream_taps: Sequence[Tap],
        utterance: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        pooled: bool = False,
        rule: str = CLOSED,
    ):
        self.taps = tuple(taps)
        self._utterance = utterance
        ranges = {tap.stride: frames_inside(start, end, tap.stride, rule) for tap in upstream_taps}
        self._first = {stride: first for stride, (first, _) in ranges.items()}
        self.count = {stride: np.maximum(last - first, 0) for stride, (first, last) in ranges.items()}
        self._pooled = pooled
        self._held = {stride: np.minimum(count, 1) if pooled else count for stride, count in self.count.items()}
        self.seen = np.zeros(len(utterance), dtype=bool)
        self.past = np.zeros((len(self.taps), len(utterance)), dtype=bool)
        self.past_any = np.zeros(len(utterance), dtype=bool)

    @property
    def memory_bytes(self) -> int:
        """What this takes in memory, all told."""
        return sum(4 * tap.dim * int(self._held[tap.stride].sum()) for tap in self.taps)

    def describe(self) -> str:
        """How many there are."""
        frames = ", ".join(str(self.count[tap.stride].sum()) for tap in self.taps)
        return f"{len(self.seen)} tokens of {frames} frames"

    @cached_property
    def kept(self) -> list[np.ndarray]:
        """Per tap, (F, D) float32; taken when the first batch comes, after it is known to fit."""
        return [np.zeros((int(self._held[tap.stride].sum()), tap.dim), dtype=np.float32) for tap in self.taps]

    def update(self, batch: Batch) -> None:
        """Take the tokens of a batch's utterances."""
        for i, position in enumerate(batch.positions):
            mine = np.arange(*np.searchsorted(self._utterance, [position, position + 1]))
            if not len(mine):
                continue
            self.seen[mine] = True
            for stride, length in batch.shortest(i).items():
                self.past_any[mine] |= self._past(stride, mine, length)
            for k, tap in enumerate(self.taps):
                heard = batch.frames(i, k)
                past = self._past(tap.stride, mine, len(heard))
                self.past[k, mine] = past
                there = mine[~past & (self.count[tap.stride][mine] > 0)]
                count = self.count[tap.stride][there]
                rows = _ranges(self._first[tap.stride][there], count)
                kept = heard[torch.from_numpy(rows).to(heard.device)].cpu().numpy()
                if self._pooled and len(there):
                    kept = np.add.reduceat(kept, np.cumsum(count) - count, dtype=np.float64) / count[:, None]
                self.kept[k][self._rows(k, there)] = kept

    def of(self, tap: int, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The frames of some tokens at a tap.

        Args:
            tap: its position.
            tokens: (n,) numbers of tokens that came by and have frames there.

        Returns:
            frames: (F, D) float32, one token after the other; (n, D) their means where these are kept.
            count: (n,) how many each has there.
        """
        return self.kept[tap][self._rows(tap, tokens)], self._held[self.taps[tap].stride][tokens]

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on: which tokens came by, and their frames."""
        seen = np.flatnonzero(self.seen)
        return {
            "seen": torch.from_numpy(self.seen),
            "past": torch.from_numpy(self.past),
            "past_any": torch.from_numpy(self.past_any),
            "rows": [torch.from_numpy(rows[self._rows(k, seen)]) for k, rows in enumerate(self.kept)],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of the same tokens and taps."""
        self.seen[:], self.past[:], self.past_any[:] = False, False, False
        self.merge(state)

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add the saved frames of other batches, of the same tokens and taps.

        Raises:
            ValueError: they are of others.
        """
        seen = state["seen"].numpy()
        places = (
            [self._rows(k, np.flatnonzero(seen)) for k in range(len(self.taps))]
            if seen.shape == self.seen.shape
            else []
        )
        shapes = [(len(rows), tap.dim) for rows, tap in zip(places, self.taps, strict=False)]
        if len(places) != len(self.taps) or [tuple(rows.shape) for rows in state["rows"]] != shapes:
            raise ValueError("the saved tokens are others, or of other taps")
        for mine, place, saved in zip(self.kept, places, state["rows"], strict=True):
            mine[place] = saved.numpy()
        self.seen |= seen
        self.past |= state["past"].numpy()
        self.past_any |= state["past_any"].numpy()

    def _past(self, stride: Stride, tokens: np.ndarray, frames: int) -> np.ndarray:
        """(n,) which of some tokens end past so many frames."""
        count = self.count[stride][tokens]
        return (count > 0) & (self._first[stride][tokens] + count > frames)

    def _rows(self, tap: int, tokens: np.ndarray) -> np.ndarray:
        """Where the frames of some tokens are kept."""
        count = self._held[self.taps[tap].stride]
        return _ranges((np.cumsum(count) - count)[tokens], count[tokens])


def _ranges(first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """first, first + 1, ... of every range, one after the other."""
    return np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
