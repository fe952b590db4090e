"""Embedding rank: over how many directions the frames of a tap spread.

As functions on arrays, without s3prl:

    >>> import numpy as np
    >>> from s3prl_plugin.downstream.rank import rankme
    >>> f"{rankme(np.eye(8)):.1f}"  # eight frames in eight directions
    '8.0'
"""

from s3prl_plugin.downstream.rank.spectrum import effective_rank, participation_ratio, rankme

__all__ = ["effective_rank", "participation_ratio", "rankme"]
