"""Embedding rank: over how many directions the frames of a tap spread.

As functions on arrays, without s3prl:

    from s3prl_plugin.downstream.rank import effective_rank, participation_ratio, rankme
"""

from s3prl_plugin.downstream.rank.spectrum import effective_rank, participation_ratio, rankme

__all__ = ["effective_rank", "participation_ratio", "rankme"]
