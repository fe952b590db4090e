"""From clusters and labels to results rows, under the default protocol and under the published one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from s3prl_plugin.analysis import intervals as estimates
from s3prl_plugin.analysis.refusal import Refused, chance_limit
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.downstream.mi.clusters import DEFAULT, Settings
from s3prl_plugin.downstream.mi.information import (
    Information,
    choose_clusters,
    from_table,
    jackknife,
    label_entropy,
)
from s3prl_plugin.results import Row
from s3prl_plugin.taps import Tap

INTERVALS = ("full", "none")

PUBLISHED_CLUSTERS = {"phone": 500, "word": 5000}
PUBLISHED_SETTINGS = {
    "phone": Settings(batch_size=1500, max_iter=500, n_init=1),
    "word": Settings(batch_size=4000, max_iter=500, n_init=1),
}


class MiProtocol(Protocol):
    """How clusters are learned, and how rows are made of them.

    Attributes:
        name: "default" or "published".
        scores: what it reports; the first is the headline.
    """

    name: str
    scores: tuple[str, ...]

    def clusters(self, unit: str, label: np.ndarray) -> tuple[int, Settings]:
        """How many clusters, and how they are learned: decided before anything is fitted.

        Args:
            unit: "phone" or "word".
            label: (n,) of the scored segments.

        Raises:
            Refused: there is nothing to be informed about.
        """
        ...

    def rows(self, tap: Tap, measure: str, tables: Sequence[np.ndarray], **fields: Any) -> list[Row]:
        """The rows of one tap.

        Args:
            tap: whose segments were clustered.
            measure: its name.
            tables: per seed, (U, K, C): how often clusters and labels meet in the scored segments of each speaker.
            fields: further row fields.

        Raises:
            Refused: the data cannot support the number.
        """
        ...


class DefaultProtocol:
    """As many clusters as the data carry; `adjusted` for chance, with MI / H and MI in nats beside it.

    Args:
        make_row: of the analysis.
        clusters: K; None chooses it by the amount of data.
        intervals: "full" (delete-speaker jackknife, for `adjusted` and `mi_over_h`) or "none".
    """

    name = "default"
    scores: tuple[str, ...] = ("adjusted", "mi_over_h", "mi_nats")

    def __init__(self, make_row: RowMaker, clusters: int | None, intervals: str):
        self.make_row = make_row
        self.fixed = clusters
        self.intervals = intervals

    def clusters(self, unit: str, label: np.ndarray) -> tuple[int, Settings]:
        """See `MiProtocol`."""
        by_data = choose_clusters(len(label), len(np.unique(label)), label_entropy(label))
        return self.fixed or by_data, DEFAULT

    def rows(self, tap: Tap, measure: str, tables: Sequence[np.ndarray], **fields: Any) -> list[Row]:
        """See `MiProtocol`."""
        found = [from_table(table.sum(axis=0)) for table in tables]
        verdict = chance_limit(max(information.chance_share for information in found))
        verdict.check()
        values = {
            "adjusted": _mean([information.adjusted for information in found]),
            "mi_over_h": _mean([information.mi_over_h for information in found]),
            "mi_nats": _mean([information.mi for information in found]),
        }
        chance = {
            "adjusted": 0.0,
            "mi_over_h": _mean([information.chance_share for information in found]),
            "mi_nats": _mean([information.expected_mi for information in found]),
        }
        ends = self._interval_ends(tables, values) if self.intervals == "full" else {}
        return [
            self.make_row.row(
                tap,
                measure,
                score,
                headline=score == self.scores[0],
                value=values[score],
                n=found[0].n,
                grey=verdict.grey,
                chance=chance[score],
                unit="nats" if score == "mi_nats" else None,
                **ends.get(score, {}),
                **fields,
            )
            for score in self.scores
        ]

    def _interval_ends(self, tables: Sequence[np.ndarray], values: dict[str, float]) -> dict[str, dict[str, Any]]:
        """The intervals' row fields; none with fewer than two speakers, or where one speaker has all of a class."""
        try:
            per_seed = [jackknife(table) for table in tables]
        except Refused:
            return {}
        ends: dict[str, dict[str, Any]] = {}
        for score in ("adjusted", "mi_over_h"):
            replicates = np.mean([getattr(one, score).replicates for one in per_seed], axis=0)
            low, high = estimates.jackknife(values[score], replicates).interval()
            ends[score] = {"ci_low": low, "ci_high": high}
        return ends


class PublishedProtocol:
    """The published tool's way: 500 clusters for phones, 5000 for words; MI / H, not corrected for chance.

    Args:
        make_row: of the analysis.
    """

    name = "published"
    scores: tuple[str, ...] = ("mi_over_h",)

    def __init__(self, make_row: RowMaker):
        self.make_row = make_row

    def clusters(self, unit: str, label: np.ndarray) -> tuple[int, Settings]:
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
                value=_mean([information.mi_over_h for information in found]),
                n=found[0].n,
                grey=verdict.grey or verdict.refused,
                chance=_mean([information.chance_share for information in found]),
                **fields,
            )
        ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
