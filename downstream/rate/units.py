"""The units of a tap: the model's own codes, or clusters of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.analysis.information.clusters import DEFAULT, predict
from s3prl_plugin.states.taps import Tap


@dataclass(frozen=True, slots=True)
class Units:
    """One way to make units of a tap's frames.

    Attributes:
        tap: whose frames.
        position: of the tap.
        clusters: K of k-means; None for the tap's own codes.
    """

    tap: Tap
    position: int
    clusters: int | None = None

    @property
    def count(self) -> int:
        """K."""
        return self.clusters or self.tap.codes or 0

    @property
    def name(self) -> str:
        """What a results row calls them."""
        return f"k-means {self.clusters}" if self.clusters else "codes"

    def of(self, train: np.ndarray, scored: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
        """The units of some frames.

        Args:
            train: (n, D) frames on which clusters are learned; codes are there already.
            scored: sets of frames, (m, D) each.
            seed: of k-means.

        Returns:
            Per set, (m,) unit numbers, 0 <= number < K.

        Raises:
            Refused: there are fewer training frames than clusters, or nothing to be scored.
        """
        together = np.concatenate(scored)
        found = codes_of(together, self.count) if self.clusters is None else self._nearest(train, together, seed)
        return np.split(found, np.cumsum([len(each) for each in scored])[:-1])

    def _nearest(self, train: np.ndarray, frames: np.ndarray, seed: int) -> np.ndarray:
        return predict(train, frames, self.count, seed, DEFAULT, "frames")


def codes_of(frames: np.ndarray, codes: int) -> np.ndarray:
    """(n,) a number for each frame of a discrete tap: equal frames are the same code.

    Args:
        frames: (n, D) float32 rows of a codebook.
        codes: how many the tap has.

    Raises:
        ValueError: more differ than there are codes, so these are not rows of a codebook.
    """
    rows = np.ascontiguousarray(frames + 0.0)  # no negative zero
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, number = np.unique(keys, return_inverse=True)
    if number.max(initial=-1) >= codes:
        raise ValueError(f"{number.max() + 1} different frames at a tap of {codes} codes")
    return number


def chosen(taps: Sequence[Tap], names: Sequence[str] | None, clusters: Sequence[int]) -> list[Units]:
    """The units that are asked for.

    Args:
        taps: of the upstream.
        names: of the taps; None for the discrete ones of a model that has some, else all.
        clusters: every K for the others.
    """
    discrete = any(tap.codes for tap in taps)
    found: list[Units] = []
    for position, tap in enumerate(taps):
        if tap.name not in names if names is not None else discrete and not tap.codes:
            continue
        found += [Units(tap, position)] if tap.codes else [Units(tap, position, k) for k in clusters]
    return found
