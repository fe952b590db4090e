"""From clusters and labels to results rows, under the default protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Protocol

import numpy as np

from s3prl_plugin.analysis.chance import chance_fields, permuted_table
from s3prl_plugin.analysis.information.clusters import DEFAULT, KMeansSettings
from s3prl_plugin.analysis.information.mutual_information import (
    Information,
    JackknifedInformation,
    choose_clusters,
    conditional,
    from_table,
    jackknife,
    label_entropy,
)
from s3prl_plugin.analysis.information.seeds import interval_fields, spread
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.inference.refusal import Refused, Verdict, chance_limit
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap

INTERVALS = ("full", "none")
CHANCE_PERMUTATIONS = 20  # by default where chance is not what independent labels give
_FIELDS = {"adjusted": "adjusted", "mi_over_h": "mi_over_h", "mi_nats": "mi"}  # score -> of `Information`
HEADLINE = "adjusted"
WHITENED = "whitened"


class MiProtocol(Protocol):
    """How clusters are learned, and how rows are made of them.

    Attributes:
        name: "default" or "published".
        scores: what it reports; the first is the headline.
        fixed: how many clusters were asked for; None where the protocol chooses.
    """

    name: str
    scores: tuple[str, ...]
    fixed: int | None

    def clusters(self, unit: str, label: np.ndarray) -> tuple[int, KMeansSettings]:
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
            tables: per seed, (U, K, C), or (S, U, K, C) where strata are held apart: how often clusters and labels meet
                in the scored segments of each speaker (for mi_speaker: of each session or group of them; see
                `sessions`).
            fields: further row fields.

        Raises:
            Refused: the data cannot support the number.
        """
        ...


class MiDefault:
    """As many clusters as the data carry; `adjusted` for chance, with MI / H and MI in nats beside it.

    Args:
        make_row: of the analysis.
        clusters: K; None chooses it by the amount of data.
        intervals: "full" (delete-speaker jackknife, for `adjusted`, `whitened` and `mi_over_h`) or "none".
        permutations: of the labels, whose mean score is the rows' chance; 0: what theory says of independent labels;
            None: `CHANCE_PERMUTATIONS` of words and speakers, whose tokens resemble each other for other reasons too,
            and 0 of phones, where permutations were measured to give what theory says.
        whitened: beside `adjusted`, the same of clusters of the whitened layer.
    """

    name = "default"

    def __init__(
        self,
        make_row: RowMaker,
        clusters: int | None,
        intervals: str,
        permutations: int | None = 0,
        whitened: bool = False,
    ):
        self.make_row = make_row
        self.fixed = clusters
        self.intervals = intervals
        self.permutations = permutations
        self.scores: tuple[str, ...] = (*_FIELDS, *([WHITENED] if whitened else []))

    def clusters(self, unit: str, label: np.ndarray) -> tuple[int, KMeansSettings]:
        """See `MiProtocol`."""
        by_data = choose_clusters(len(label), len(np.unique(label)), label_entropy(label))
        return self.fixed or by_data, DEFAULT

    def rows(self, tap: Tap, measure: str, tables: Sequence[np.ndarray], **fields: Any) -> list[Row]:
        """See `MiProtocol`."""
        return self._rows(tap, measure, tables, _FIELDS, fields)

    def whitened_rows(self, tap: Tap, measure: str, tables: Sequence[np.ndarray], **fields: Any) -> list[Row]:
        """The row of `whitened`; arguments as for `rows`, of clusters of the whitened layer."""
        return self._rows(tap, measure, tables, {WHITENED: "adjusted"}, fields)

    def _rows(
        self,
        tap: Tap,
        measure: str,
        tables: Sequence[np.ndarray],
        scores: Mapping[str, str],
        fields: Mapping[str, Any],
    ) -> list[Row]:
        """A row per score, given what of `Information` each is."""
        found = [self.information(table) for table in tables]
        verdict = self.verdict(tables, found)
        verdict.check()
        values = {score: fmean([getattr(each, name) for each in found]) for score, name in scores.items()}
        shares = {"mi_over_h": [each.chance_share for each in found], "mi_nats": [each.expected_mi for each in found]}
        chance: dict[str, dict[str, Any]] = {
            score: {"chance": fmean(shares[score]) if score in shares else 0.0} for score in scores
        }
        kind = measure.removeprefix("mi_").removeprefix("rate_")
        permutations = (
            (0 if kind == "phone" else CHANCE_PERMUTATIONS) if self.permutations is None else self.permutations
        )
        if permutations:
            chance = self._permuted(tables, kind, permutations, scores)
        ends = self._interval_ends(tables, scores) if self.intervals == "full" else {}
        return [
            self.make_row.row(
                tap,
                measure,
                score,
                headline=score == HEADLINE,
                value=values[score],
                n=found[0].n,
                grey=verdict.grey,
                unit="nats" if score == "mi_nats" else None,
                clusters_asked=self.fixed,
                seeds=len(found),
                seed_sd=spread([getattr(each, scores[score]) for each in found]),
                **chance[score],
                **ends.get(score, {}),
                **fields,
            )
            for score in scores
        ]

    def information(self, table: np.ndarray) -> Information:
        """What the clusters of one seed tell, (U, K, C) or given a stratum (S, U, K, C)."""
        return conditional(table.sum(axis=1)) if table.ndim == 4 else from_table(table.sum(axis=0))

    def jackknifed(self, table: np.ndarray) -> JackknifedInformation:
        """The same with intervals."""
        return jackknife(table)

    def verdict(self, tables: Sequence[np.ndarray], found: Sequence[Information]) -> Verdict:
        """Whether the number can be shown; `found` is what the tables gave."""
        return chance_limit(max(information.chance_share for information in found))

    def _permuted(
        self, tables: Sequence[np.ndarray], kind: str, permutations: int, scores: Mapping[str, str]
    ) -> dict[str, dict[str, Any]]:
        """The row fields on chance, from labels that mean nothing."""
        drawn = []
        for number in range(permutations):
            draws = [stream(self.make_row.seed, "permutation", f"mi_{kind}", number) for _ in tables]
            each = [permuted_table(table, kind, draw) for table, draw in zip(tables, draws, strict=True)]
            drawn.append([self.information(table) for table in each])
        return {
            score: chance_fields([fmean([getattr(each, name) for each in found]) for found in drawn])
            for score, name in scores.items()
        }

    def _interval_ends(self, tables: Sequence[np.ndarray], scores: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        """The intervals' row fields; none with fewer than two speakers, or where one speaker has all of a class."""
        try:
            per_seed = [self.jackknifed(table) for table in tables]
        except Refused:
            return {}
        jackknifed = ("adjusted", "mi_over_h")
        return {
            s: interval_fields([getattr(one, of) for one in per_seed]) for s, of in scores.items() if of in jackknifed
        }
