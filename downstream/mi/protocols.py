"""The published protocol of mutual information; the default one is `analysis.information.protocols.MiDefault`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from s3prl_plugin.analysis.information.clusters import KMeansSettings
from s3prl_plugin.analysis.information.mutual_information import Information, from_table
from s3prl_plugin.analysis.information.seeds import spread
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.inference.refusal import chance_limit
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap

PUBLISHED_CLUSTERS = {"phone": 500, "word": 5000}
PUBLISHED_SETTINGS = {
    "phone": KMeansSettings(batch_size=1500, max_iter=500, n_init=1),
    "word": KMeansSettings(batch_size=4000, max_iter=500, n_init=1),
}


class MiPublished:
    """The published tool's way: 500 clusters for phones, 5000 for words; MI / H, not corrected for chance.

    Args:
        make_row: of the analysis.
    """

    name = "published"
    scores: tuple[str, ...] = ("mi_over_h",)
    fixed: int | None = None  # the tool decides

    def __init__(self, make_row: RowMaker):
        self.make_row = make_row

    def clusters(self, unit: str, label: np.ndarray) -> tuple[int, KMeansSettings]:
        """See `MiProtocol`."""
        return PUBLISHED_CLUSTERS[unit], PUBLISHED_SETTINGS[unit]

    def rows(self, tap: Tap, measure: str, tables: Sequence[np.ndarray], **fields: Any) -> list[Row]:
        """See `MiProtocol`."""
        found: list[Information] = [from_table(table.sum(axis=0)) for table in tables]
        # As published, so never refused for what chance gives; but shown grey.
        verdict = chance_limit(max(information.chance_share for information in found))
        return [
            self.make_row.row(
                tap,
                measure,
                "mi_over_h",
                self.name,
                headline=True,
                value=fmean([information.mi_over_h for information in found]),
                n=found[0].n,
                grey=verdict.grey or verdict.refused,
                seeds=len(found),
                seed_sd=spread([information.mi_over_h for information in found]),
                chance=fmean([information.chance_share for information in found]),
                **fields,
            )
        ]
