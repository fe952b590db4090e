"""Several analyses fed by one pass over the waveforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from s3prl_plugin import registry
from s3prl_plugin.analysis.analyse import analyse
from s3prl_plugin.analysis.defaults import analysis_defaults, shared_options
from s3prl_plugin.analysis.one_pass.gather import StatesOf
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap


class DownstreamExpert(torch.nn.Module):
    """The analyses of a suite as one downstream; its SUPERB tasks are run by the runner.

    Args:
        upstream_dim, upstream_rate: s3prl's; every tap knows its own.
        suite: `analyses` (downstream name -> its options) and the options that all of them share.
        taps: what the upstream exposes.
        provenance: the fields of a results row that describe the upstream.

    Attributes:
        analyses: the experts, by downstream name.
        takes_states: tells the runner to hand over States in place of a weighted sum.
    """

    takes_states = True

    def __init__(
        self,
        upstream_dim: int,
        upstream_rate: int,
        suite: dict[str, Any],
        taps: Sequence[Tap],
        provenance: dict[str, Any],
        **kwargs: Any,
    ):
        super().__init__()
        chosen = suite.get("analyses") or {}
        common = shared_options(chosen)
        shared = {k: v for k, v in suite.items() if k in common}
        self.analyses: dict[str, Any] = {}
        gathering = None
        for name, options in chosen.items():
            expert = registry.expert(name)
            analysis = expert(
                upstream_dim=upstream_dim,
                upstream_rate=upstream_rate,
                downstream_expert={**analysis_defaults(name), **shared, **(options or {})},
                taps=taps,
                provenance=provenance,
                gathering=gathering,
                **kwargs,
            )
            gathering = analysis.gathering
            self.analyses[name] = analysis
        self._modules.update(self.analyses)

    def analyse(self, states_of: StatesOf, upstream: Any) -> None:
        """One pass over the corpus for all analyses, their scores, and their results.

        Args:
            states_of: the upstream.
            upstream: tells it from any other; see `provenance.identity`.
        """
        if self.analyses:
            analyse(list(self.analyses.values()), "suite", states_of, upstream, again=False)

    @property
    def rows(self) -> list[Row]:
        """All rows of this run's analyses."""
        return [row for analysis in self.analyses.values() for row in analysis.rows]
