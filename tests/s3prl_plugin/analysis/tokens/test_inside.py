"""Which frames lie in an interval, against a search over all frames with fractions."""

from fractions import Fraction

import numpy as np
import pytest

from s3prl_plugin.analysis.tokens.inside import frames_at_rate, frames_inside


@pytest.mark.parametrize("stride", [160, 320, 321, 640, Fraction(640, 3), Fraction(1000, 7)])
def test_centres_in_closed_intervals(stride: int | Fraction) -> None:
    rng = np.random.default_rng(0)
    start = np.concatenate([np.arange(0, 4000, 160), rng.integers(0, 4000, 100)])
    end = start + np.concatenate([np.full(25, 160), rng.integers(0, 900, 100)])
    first, last = frames_inside(start, end, stride)
    centres = [(Fraction(1, 2) + i) * stride for i in range(80)]
    for a, b, one, other in zip(start.tolist(), end.tolist(), first, last, strict=True):
        wanted = [i for i, centre in enumerate(centres) if a <= centre <= b]
        assert list(range(one, other)) == wanted
        assert frames_at_rate(Fraction(a, 16000), Fraction(b, 16000), 16000 / Fraction(stride)) == (one, other)
