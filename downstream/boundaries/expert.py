"""Boundaries of phones and words at every tap, at its own frame rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.planning.sampling import spread, stream
from s3prl_plugin.config.schema import Whole, one_of, whole
from s3prl_plugin.downstream.boundaries.curves import Curves
from s3prl_plugin.downstream.boundaries.measures import Boundaries, inner
from s3prl_plugin.states.taps import SAMPLE_RATE

INTERVALS = ("full", "none")


class DownstreamExpert(AnalysisExpert):
    """`-d boundaries`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "boundaries"
    known_measures = ("boundary_phone", "boundary_word")
    option_types: ClassVar[Mapping[str, Any]] = {
        "utterances": whole(3) | None,
        "random_draws": Whole,
        "intervals": one_of(INTERVALS),
    }

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The curves of some utterances, and where their phones and words meet.

        Raises:
            UserError: an option cannot be used.
        """
        limit, plan = self.options["utterances"], self.plan
        shared = plan.folds.shared_text & (self.options["shared_texts"] == "leave_out")
        usable = np.flatnonzero(~shared)
        chosen = usable[spread(plan.speaker_of_utterance[usable], limit, stream(plan.seed, "boundaries"))]
        plan.need(chosen)
        name = f"curves of {limit or 'all'} utterances, {self.options['shared_texts']}"
        curves = self.gathering.share(name, lambda: Curves(self.taps, chosen, plan.seconds[chosen]))
        return [self._measure(measure.removeprefix("boundary_"), curves) for measure in measures]

    def _measure(self, unit: str, curves: Curves) -> Boundaries:
        """The boundaries of a unit."""
        plan, alignment = self.plan, self.plan.alignment(unit)
        length = {p: round(float(plan.seconds[p]) * SAMPLE_RATE) for p in curves.utterances.tolist()}
        references = {}
        for p in length:
            mine = slice(*alignment.offsets[p : p + 2])
            references[p] = inner(np.concatenate([alignment.start[mine], alignment.end[mine]]), length[p])
        count = sum(map(len, references.values()))
        lacks = None if count else f"this corpus has no {unit} times; a corpus with aligned {unit}s is needed"
        self.say(f"boundary_{unit}: {count} boundaries of {unit}s in {len(length)} utterances")
        by_speaker = plan.folds.split_by == "speaker"
        return Boundaries(
            unit,
            curves,
            references,
            length,
            speaker=plan.speaker_of_utterance,
            fold=plan.folds.of_utterance if by_speaker else plan.speaker_of_utterance,
            draws=self.options["random_draws"],
            with_intervals=self.options["intervals"] == "full",
            lacks=lacks,
            make_row=self.make_row,
        )
