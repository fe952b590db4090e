"""cka_matrix: linear CKA of every tap with every tap, from sampled frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from s3prl_plugin.analysis.cka import covariance_products, jackknife_of_products
from s3prl_plugin.analysis.other_models.tap_pairs import Side, TapPairs, seconds_of_product
from s3prl_plugin.analysis.statistics.view_moments import Array
from s3prl_plugin.downstream.cka.rows import CkaRows
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row

NAME = "cka_matrix"


class CkaMatrix:
    """The CKA of every pair; the products of a tap with itself are computed once for all its partners.

    Args:
        pairs: of taps.
        rows: makes the rows.
    """

    def __init__(self, pairs: TapPairs, rows: CkaRows):
        self.pairs = pairs
        self.rows = rows

    def __len__(self) -> int:
        """One list of rows per pair."""
        return len(self.pairs.pairs)

    def line(self, sampled: int) -> str:
        """What a user should know before the pass.

        Args:
            sampled: rows, at most.
        """
        return self.pairs.line(NAME, seconds_of_product(sampled, self.pairs.widest))

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one pair after the other."""
        numbers = self.pairs.rows()
        parts = self.pairs.parts(numbers)
        n = [len(part) for part in parts]
        own: dict[tuple[bool, int], Array] = {}
        for i, j in self.pairs.pairs:
            try:
                x = centred(self.pairs.own, i, numbers, parts)
                y = x if self.pairs.within and i == j else centred(self.pairs.other, j, numbers, parts)
                for key, view in (((False, i), x), ((not self.pairs.within, j), y)):
                    if key not in own:
                        own[key] = covariance_products([part.T @ part for part in view], n)
                cross = covariance_products([a.T @ b for a, b in zip(x, y, strict=True)], n)
                xx, yy = own[False, i], own[not self.pairs.within, j]
                estimate = jackknife_of_products(cross, xx, yy)
            except Refused as refused:
                yield [
                    row
                    for tap, _, fields in self.pairs.places((i, j))
                    for row in self.rows.refusals(tap, NAME, refused.reason, headline=False, n=len(numbers), **fields)
                ]
                continue
            yield [
                self.rows.of_estimate(tap, NAME, estimate, sum(n), **fields)
                for tap, _, fields in self.pairs.places((i, j))
            ]


def centred(side: Side, tap: int, rows: np.ndarray, parts: Sequence[np.ndarray]) -> list[Array]:
    """The frames of one tap per fold, (n_f, D), about the fold's own mean."""
    frames = side.frames.frames(tap, rows)
    found = (frames[part].astype(np.float64) for part in parts)
    return [part - part.mean(axis=0) for part in found]
