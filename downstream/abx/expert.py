"""ABX discrimination of phones and words at every tap, at its own frame rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.token_counts import TokenCount
from s3prl_plugin.analysis.tokens.drawing import all_strides, candidates
from s3prl_plugin.analysis.tokens.kept import KeptTokens
from s3prl_plugin.downstream.abx.cells import SPEAKER
from s3prl_plugin.downstream.abx.error import ANY, CONTEXT, TRIPHONE
from s3prl_plugin.downstream.abx.measures import Discrimination, Settings, without_frames
from s3prl_plugin.downstream.abx.task import Task
from s3prl_plugin.downstream.abx.whole_utterances import WholeUtterances

FEWEST_TOKENS = 2
INTERVALS = ("full", "none")


class DownstreamExpert(AnalysisExpert):
    """`-d abx`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "abx"
    known_measures = ("abx_phone", "abx_word")

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The tokens of each unit.

        Raises:
            UserError: an option cannot be used.
        """
        self._settings = Settings(
            speakers=tuple(self.options.choices("speaker", SPEAKER)),
            dtw=self.options.flag("dtw"),
            x_speakers=self.options.limit("x_speakers"),
            permutations=self.options.integer("permutations", 0),
            intervals=self.options.choice("intervals", INTERVALS),
            device=str(self.device),
        )
        contexts = self.options.choices("context", CONTEXT)
        triphones = self.options.flag("triphones")
        built: list[Discrimination] = []
        for measure in measures:
            unit = measure.removeprefix("abx_")
            wanted = [TRIPHONE] if unit == "phone" and triphones and TRIPHONE in contexts else []
            plain = [ANY] if unit == "word" else [c for c in contexts if c == ANY or not triphones]
            for reach, some in ((False, plain), (True, wanted)):
                if some:
                    built.append(self._unit(unit, some, reach))
        if not self.options.flag("write_features"):
            return list(built)
        files = WholeUtterances(self.expdir, self.taps, self.plan, built)
        return [*built, self.gathering.share("whole utterances in files", lambda: files)]

    def _unit(self, unit: str, contexts: Sequence[str], triphones: bool) -> Discrimination:
        """The tokens of phones, of triphones or of words."""
        measure = f"abx_{unit}"
        most = self.options.limit("tokens" if unit == "phone" else "word_tokens", FEWEST_TOKENS)
        types = self.options.limit("word_types", 2) if unit == "word" else None
        shared = self.options["shared_texts"] == "leave_out"
        found = candidates(self.plan, unit, shared, types, triphones)
        strides = all_strides(self.options, "frames_at_ms", self.upstream_taps)
        tasks = [Task(unit, context, found, strides, most) for context in contexts]
        wanted = np.flatnonzero(np.any([task.wanted for task in tasks], axis=0))
        place = np.full(len(found), -1)
        place[wanted] = np.arange(len(wanted))
        utterance, start, end = found.utterance[wanted], found.start[wanted], found.end[wanted]
        self.plan.need(utterance)
        rates = ", ".join(map(str, strides))
        name = f"frames of {unit} tokens, {contexts}, {most}, {types}, {shared}, {triphones}, at {rates}"
        kept = self.gathering.share(name, lambda: KeptTokens(self.taps, self.upstream_taps, utterance, start, end))
        said = f"{measure}{' (triphones)' if triphones else ''}"
        self.say(f"{said}: {len(wanted)} of {len(found)} tokens; {without_frames(tasks[0], self.upstream_taps)}")
        left_out = {**found.left_out, "not drawn, or without a frame": len(found) - len(wanted)}
        self.tokens.setdefault(measure, TokenCount(measure, "tokens", found.found, left_out, len(wanted)))
        return Discrimination(kept, place, tasks, triphones, self._settings, self.make_row, self.say)
