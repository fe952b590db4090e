"""Results rows of an analysis: what is the same for all of them is said once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from s3prl_plugin import registry
from s3prl_plugin.analysis import about
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.results import FIELDS, Row, digest
from s3prl_plugin.states import training_data
from s3prl_plugin.states.taps import Tap


class RowMaker:
    """Makes the rows of one analysis.

    Args:
        downstream: its name.
        provenance: the row fields that describe the upstream and the software.
        plan: the run's; corpus, folds and seed are taken from it.
        options: those that decide numbers; see `Options.decisive`.

    Attributes:
        seed: of the run.
    """

    def __init__(self, downstream: str, provenance: Mapping[str, Any], plan: Plan, options: Mapping[str, Any] = {}):
        self.seed = plan.seed
        self._package = registry.downstreams().get(downstream)
        versions = {**plan.corpus.versions, **registry.origin("downstream", downstream)}
        self._common = {
            "upstream": "unnamed",
            **provenance,
            "versions": {**provenance.get("versions", {}), **versions},
            "corpus": plan.corpus.name,
            "corpus_kind": plan.corpus.kind,
            "training_data": training_data.of_corpus(
                provenance.get("training_data"), provenance.get("pretraining"), plan.corpus.name
            ),
            "speakers": len(plan.corpus.speakers),
            "downstream": downstream,
            "seed": plan.seed,
            "options_id": digest(dict(options), plan.seed, plan.content_id),
        }
        self._folds = {"folds": plan.folds.count, "split_by": plan.folds.split_by, "folds_id": plan.folds_id}

    def check(self, measures: Iterable[str]) -> None:
        """Refuse measures that the downstream's about.yaml does not explain, before anything is computed.

        Raises:
            UserError: there is such a one.
        """
        if self._package:
            about.check_measures(self._package, measures)

    def row(self, tap: Tap, measure: str, score: str, protocol: str = "default", **fields: Any) -> Row:
        """One row; `fields` say what it says. The plan's folds are named unless `fields` name others.

        What is no field of every row goes into its `details`; those that are None are left out.

        Raises:
            UserError: the downstream's about.yaml does not explain this score of this measure, or one of the details.
        """
        own = {name: fields.pop(name) for name in sorted(fields.keys() - FIELDS)}
        fields["details"] = {name: value for name, value in own.items() if value is not None}
        if self._package:
            about.check(self._package, measure, score, fields["details"])
        where = {"tap": tap.name, "tap_index": tap.index, "block": tap.block, "stride": tap.stride}
        what = {"measure": measure, "score": score, "protocol": protocol}
        return Row(**{**self._common, **self._folds, **where, **what, **fields})

    def of_corpus(self, measure: str, score: str, **fields: Any) -> Row:
        """A row about the corpus, such as its segments at a frame rate; no tap has a part in it."""
        return Row(**{**self._common, "measure": measure, "score": score, **fields})

    def refuse(
        self, tap: Tap, measure: str, scores: Iterable[str], headline: str, reason: str, **fields: Any
    ) -> list[Row]:
        """A measure's rows where it has no numbers: every score says why."""
        return [self.row(tap, measure, score, headline=score == headline, refused=reason, **fields) for score in scores]
