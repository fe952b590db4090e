"""ABX discrimination of phones, of words and of a user's items at every tap, at its own frame rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.token_counts import TokenCount
from s3prl_plugin.analysis.tokens.drawing import Candidates, all_strides, candidates
from s3prl_plugin.analysis.tokens.inside import RULES
from s3prl_plugin.analysis.tokens.kept import KeptTokens
from s3prl_plugin.config.schema import Counted, Positive, Whole, one_of, some_of, whole
from s3prl_plugin.downstream.abx import item_tokens
from s3prl_plugin.downstream.abx.cells import SPEAKER
from s3prl_plugin.downstream.abx.error import ANY, CONTEXT, TRIPHONE
from s3prl_plugin.downstream.abx.measures import AbxSettings, Discrimination, without_frames
from s3prl_plugin.downstream.abx.task import Task
from s3prl_plugin.downstream.abx.whole_utterances import WholeUtterances
from s3prl_plugin.files import digests

FEWEST_TOKENS = 2
INTERVALS = ("full", "none")
ITEMS = "items"


class DownstreamExpert(AnalysisExpert):
    """`-d abx`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "abx"
    known_measures = ("abx_phone", "abx_word", "abx_items")
    option_types: ClassVar[Mapping[str, Any]] = {
        "items": str | None,
        "speaker": some_of(SPEAKER, 1),
        "context": some_of(CONTEXT, 1),
        "triphones": bool,
        "rule": one_of(RULES),
        "dtw": bool,
        "tokens": whole(FEWEST_TOKENS) | None,
        "word_tokens": whole(FEWEST_TOKENS) | None,
        "word_types": whole(2) | None,
        "x_speakers": Counted | None,
        "frames_at_ms": list[Positive],
        "permutations": Whole,
        "intervals": one_of(INTERVALS),
        "write_features": bool,
    }

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The tokens of each unit.

        Raises:
            UserError: an option cannot be used, or an item file cannot.
        """
        self._settings = AbxSettings(
            speakers=tuple(self.options.chosen("speaker", SPEAKER)),
            dtw=self.options["dtw"],
            x_speakers=self.options["x_speakers"],
            permutations=self.options["permutations"],
            intervals=self.options["intervals"],
            device=str(self.device),
            rule=self.options["rule"],
        )
        self._strides = all_strides(self.options, "frames_at_ms", self.upstream_taps)
        if self.options[ITEMS] is not None and "abx_items" not in measures:
            raise self.options.error(ITEMS, "null without the measure abx_items; add it to measures")
        contexts = self.options.chosen("context", CONTEXT)
        triphones = self.options["triphones"]
        built: list[Discrimination] = []
        for measure in measures:
            unit = measure.removeprefix("abx_")
            if unit == ITEMS:
                built.append(self._items(contexts))
                continue
            wanted = [TRIPHONE] if unit == "phone" and triphones and TRIPHONE in contexts else []
            plain = [ANY] if unit == "word" else [c for c in contexts if c == ANY or not triphones]
            for reach, some in ((False, plain), (True, wanted)):
                if some:
                    built.append(self._unit(unit, some, reach))
        if not self.options["write_features"]:
            return list(built)
        files = WholeUtterances(self.expdir, self.taps, self.plan, built)
        return [*built, self.gathering.share("whole utterances in files", lambda: files)]

    def _unit(self, unit: str, contexts: Sequence[str], triphones: bool) -> Discrimination:
        """The tokens of phones, of triphones or of words."""
        most = self.options["tokens" if unit == "phone" else "word_tokens"]
        types = self.options["word_types"] if unit == "word" else None
        shared = self.options["shared_texts"] == "leave_out"
        found = candidates(self.plan, unit, shared, types, triphones, self._settings.rule)
        return self._drawn(unit, found, contexts, most, triphones, "triphone" if triphones else None, (types, shared))

    def _items(self, contexts: Sequence[str]) -> Discrimination:
        """The tokens of a user's item file."""
        path = self.options[ITEMS]
        if not isinstance(path, str):
            raise self.options.error(ITEMS, "the path of an item file for the measure abx_items")
        file = Path(path).expanduser()
        found, triphones = item_tokens.read(file, self.plan, self._strides[-1], self._settings.rule)
        if past := found.left_out.get(item_tokens.PAST):
            self.say(f"abx_items: {past} of {found.found} tokens of {path} end past their audio, and are left out")
        self.reads[path] = digest = str(digests.of_path(file))
        most = self.options["tokens"]
        return self._drawn(ITEMS, found, contexts, most, triphones, f"item file {digest[:16]}")

    def _drawn(
        self,
        unit: str,
        found: Candidates,
        contexts: Sequence[str],
        most: int | None,
        triphones: bool,
        segments: str | None,
        *which: object,
    ) -> Discrimination:
        """Those that are drawn of some tokens, and what is gathered of them."""
        measure = f"abx_{unit}"
        tasks = [Task(unit, context, found, self._strides, most) for context in contexts]
        wanted = np.flatnonzero(np.any([task.wanted for task in tasks], axis=0))
        place = np.full(len(found), -1)
        place[wanted] = np.arange(len(wanted))
        utterance, start, end = found.utterance[wanted], found.start[wanted], found.end[wanted]
        self.plan.need(utterance)
        rates = ", ".join(map(str, self._strides))
        name = f"frames of {unit} tokens, {contexts}, {most}, {segments}, {which}, {found.rule}, at {rates}"
        kept = self.gathering.share(
            name, lambda: KeptTokens(self.taps, self.upstream_taps, utterance, start, end, rule=found.rule)
        )
        said = f"{measure}{f' ({segments})' if segments else ''}"
        self.say(f"{said}: {len(wanted)} of {len(found)} tokens; {without_frames(tasks[0], self.upstream_taps)}")
        left_out = {**found.left_out, "not drawn, or without a frame": len(found) - len(wanted)}
        self.tokens.setdefault(measure, TokenCount(measure, "tokens", found.found, left_out, len(wanted)))
        return Discrimination(kept, place, tasks, triphones, segments, self._settings, self.make_row, self.say)
