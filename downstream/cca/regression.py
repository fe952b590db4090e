"""Two views regressed on each other over training folds, and what a held-out fold says of it: what R2_CCA rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from s3prl_plugin.analysis.statistics.view_moments import Array, Moments
from s3prl_plugin.downstream.cca.canonical import Precision
from s3prl_plugin.inference.refusal import Refused


class R2Split(NamedTuple):
    """What a fold says that was held out of training.

    Attributes:
        u: the sum of training correlations times held-out covariances.
        t_x, t_y: the mean held-out variance of each view's whitened directions.
        p, q: the views' ranks in training.
        n: training rows.
    """

    u: float
    t_x: float
    t_y: float
    p: int
    q: int
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Both views regressed on each other over training rows.

    Attributes:
        weights: (d_x, d_y) inv(Txx) Txy inv(Tyy).
        x, y: the inverse scatters.
        n: training rows.
    """

    weights: Array
    x: Precision
    y: Precision
    n: int

    @classmethod
    def of(cls, x: Precision, y: Precision, xy: Array, n: int) -> Regression:
        """The regression of two views whose inverse scatters are known.

        Args:
            x, y: of the training rows.
            xy: (d_x, d_y) their cross scatter.
            n: training rows.

        Raises:
            Refused: a view is constant.
        """
        for name, view in (("first", x), ("second", y)):
            if not view.rank:
                raise Refused(f"the {name} view is constant over the training rows: it correlates with nothing")
        return cls(x.matrix @ xy @ y.matrix, x, y, n)

    def score(self, held_out: Moments) -> R2Split:
        """What held-out rows say of it."""
        scale = (self.n - 1) / (held_out.n - 1)
        return R2Split(
            u=float(scale * np.vdot(self.weights, held_out.xy)),
            t_x=float(scale * np.vdot(self.x.matrix, held_out.x.scatter) / self.x.rank),
            t_y=float(scale * np.vdot(self.y.matrix, held_out.y.scatter) / self.y.rank),
            p=self.x.rank,
            q=self.y.rank,
            n=self.n,
        )
