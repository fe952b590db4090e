"""What every analysis downstream is: s3prl's downstream interface around measures that take States."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from s3prl_plugin import corpora, results
from s3prl_plugin.analysis.batch import Batch
from s3prl_plugin.analysis.folds import SHARED_TEXTS, SPLITS
from s3prl_plugin.analysis.loading import Waveforms
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.plan import Plan, Sample
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.corpora import skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import Row
from s3prl_plugin.taps import States, Tap

DEFAULT_SEED = 1337
MEMORY_SHARE = 0.6


class AnalysisExpert(torch.nn.Module):
    """A downstream that turns States into numbers in one pass, without training.

    A subclass names itself and its measures, and builds them; everything else is here. It runs under `-m evaluate`, or
    within a suite, whose analyses share one plan and are handed each other's `Batch`.

    Args:
        upstream_dim, upstream_rate: s3prl's; every tap knows its own.
        downstream_expert: options; those left out are taken from the downstream's config.yaml.
        expdir: the folder that gets results.jsonl.
        taps: what the upstream exposes.
        provenance: the fields of a results row that describe the upstream and the software.
        plan: of a suite; made from the options `corpus`, `split_by`, `shared_texts` when it is not given.
        device: where the states are.
        seed: of the run; decides folds and samples.

    Attributes:
        plan: what is decided about the corpus.
        rows: the results, once they are computed.
        skips: reason -> utterances that were left out during the pass.

    Raises:
        UserError: an option that does not exist or cannot be used, a corpus that cannot be read or is too small, or
            statistics that would not fit into memory.
    """

    takes_states = True
    name: ClassVar[str]
    known_measures: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        upstream_dim: int,
        upstream_rate: int,
        downstream_expert: dict[str, Any],
        expdir: str,
        taps: Sequence[Tap],
        provenance: dict[str, Any],
        plan: Plan | None = None,
        device: str | torch.device = "cpu",
        seed: int = DEFAULT_SEED,
        **kwargs: Any,
    ):
        super().__init__()
        self.options = Options(self.name, downstream_expert)
        measures = self.options.choices("measures", self.known_measures)
        self._reading = self.options.integer("batch_size", 1), self.options.integer("num_workers", 0)
        self.expdir = expdir
        self.taps = tuple(taps)
        self.device = torch.device(device)
        self.plan = self._checked(plan) if plan is not None else self._new_plan(seed)
        self.skips = skips.Skips()
        self.rows: list[Row] = []
        self._leads = plan is None
        self.make_row = RowMaker(self.name, provenance, self.plan)
        if plan is None:
            for line in self.plan.summary():
                self.say(line)
        self.measures: list[Measure] = self.build(measures)
        self._claim_memory()

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The measure objects.

        Args:
            measures: which of `known_measures` are wanted.
        """
        raise NotImplementedError

    def get_dataloader(self, split: str) -> Waveforms:
        """The utterances that the plan needs, always in the same batches.

        Args:
            split: s3prl's; an analysis is of the whole corpus that its options name.
        """
        self._leads = True
        return Waveforms(self.plan.corpus.utterances, self.plan.needed.tolist(), *self._reading, self.skips)

    def forward(
        self, split: str, states: States, positions: Sequence[int], batch: Batch | None = None, **kwargs: Any
    ) -> Batch:
        """Take in one batch.

        Args:
            split: s3prl's.
            states: of the batch.
            positions: of its utterances in the plan's corpus.
            batch: what another analysis of a suite has worked out for the same states.

        Returns:
            The batch, for the next analysis.

        Raises:
            UserError: the states are not finite.
        """
        if batch is None:
            batch = Batch(states, positions, self.plan)
        if batch.states.taps != self.taps:
            raise ValueError("the taps of this batch are not those that the analysis was built for")
        for measure in self.measures:
            measure.update(batch)
        return batch

    def log_records(self, split: str, **kwargs: Any) -> list[str]:
        """Compute all rows, write them into the experiment's folder, and say what was left out.

        Returns:
            Names of checkpoints to save: none.
        """
        steps = sum(len(measure) for measure in self.measures)
        with (
            threadpool_limits(1),  # more threads spend more on waiting for each other than these matrices take
            tqdm(total=steps, desc=f"{self.name}: scores", unit="tap", dynamic_ncols=True) as progress,
        ):
            self.rows = []
            for rows in self._computed():
                self.rows += rows
                progress.update()
        results.write(self.expdir, self.rows)
        if self._leads:
            for line in skips.lines(self.plan.corpus.without(self.skips).skipped):
                self.say(line)
        return []

    def introduce(self, measure: str, sample: Sample) -> None:
        """Tell the user what a measure of segments is about, and once how the frame rates blur such segments."""
        self.say(f"{measure}: {sample.line()}")
        if self._leads and len(sample):
            self.say(self.plan.crowding(sample, {tap.stride for tap in self.taps}))

    def say(self, line: str) -> None:
        """Tell the user."""
        print(f"[{self.name}] {line}", flush=True)

    def memory_bytes(self) -> int:
        """What the statistics of all measures take."""
        return sum(measure.memory_bytes for measure in self.measures)

    def _computed(self) -> Iterator[list[Row]]:
        for measure in self.measures:
            yield from measure.compute()

    def _new_plan(self, seed: int) -> Plan:
        split_by = self.options.choice("split_by", SPLITS)
        shared_texts = self.options.choice("shared_texts", SHARED_TEXTS)
        spec = self.options["corpus"]
        plan = Plan(corpora.open_corpus(spec), seed, split_by, shared_texts)
        plan.options["corpus"] = spec
        return plan

    def _checked(self, plan: Plan) -> Plan:
        """A given plan, if this analysis does not ask for another."""
        for key, value in plan.options.items():
            if self.options[key] != value:
                raise UserError(
                    f"{self.name}: {key} is {self.options[key]!r}, but another analysis of this suite set {value!r}; "
                    f"set {key} once, for the whole suite"
                )
        return plan

    def _claim_memory(self) -> None:
        """Say what memory the statistics take; refuse what would not fit.

        Raises:
            UserError: the analyses of this run take more than `memory_limit_gb`.
        """
        mine = self.memory_bytes()
        total = self.plan.claim(self.name, mine)
        limit = self._memory_limit()
        self.say(f"statistics take {mine / 1e9:.2f} GB" + (f" (limit {limit / 1e9:.1f} GB)" if limit else ""))
        if limit and total > limit:
            raise UserError(
                f"{self.name}: the statistics of this run take {total / 1e9:.2f} GB, more than {limit / 1e9:.2f} GB; "
                "take fewer measures or segments, or raise downstream_expert.memory_limit_gb"
            )

    def _memory_limit(self) -> float | None:
        """Bytes that may be taken: as configured, else a share of the machine's memory where that is known."""
        if self.options["memory_limit_gb"] is not None:
            return 1e9 * self.options.positive("memory_limit_gb")
        try:
            return MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, ValueError, OSError):  # not a POSIX system
            return None
