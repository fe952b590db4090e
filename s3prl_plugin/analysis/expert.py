"""What every analysis downstream is: s3prl's downstream interface around measures of one pass's statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from s3prl_plugin import corpora, ranks, results
from s3prl_plugin.analysis import token_counts
from s3prl_plugin.analysis.analyse import analyse
from s3prl_plugin.analysis.in_threads import in_threads
from s3prl_plugin.analysis.measure import InPieces, Measure, scoring_bytes
from s3prl_plugin.analysis.one_pass import memory
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gather import StatesOf
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.one_pass.loading import Waveforms
from s3prl_plugin.analysis.one_pass.saved_pass import FOLDER, Shard
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.planning.folds import SHARED_TEXTS, SPLITS
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.planning.segments import WHOLE_FRAMES
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.storage import Storage
from s3prl_plugin.analysis.token_counts import CountsTokens, TokenCount
from s3prl_plugin.config.schema import By, Counted, Positive, Some, Whole, one_of, some_of
from s3prl_plugin.corpora import fingerprint, skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import States, Tap
from s3prl_plugin.strides import Stride

DEFAULT_SEED = 1337
MOST_THREADS = 8  # of scores: each holds what one tap takes, 0.2 GB at base size
# what the options of every analysis may be, where one value says it
COMMON_TYPES: Mapping[str, Any] = {
    "corpus": Annotated[str, By(corpora.check_spec)] | None,
    "taps": Some[str] | None,
    "split_by": one_of(SPLITS),
    "shared_texts": one_of(SHARED_TEXTS),
    "batch_seconds": Positive,
    "batch_size": Counted | None,
    "num_workers": Whole,
    "memory_limit_gb": Positive | None,
    "statistics_on_disk": bool,
    "checkpoint_minutes": Positive,
    "keep_statistics": bool,
    "part": Annotated[str | int, By(Shard.of)] | None,
    "merge": Some[str] | None,
}


class AnalysisExpert(torch.nn.Module):
    """A downstream that turns States into numbers in one pass, without training.

    A subclass names itself and its measures, and builds them; everything else is here. It runs under `-m evaluate`, or
    within a suite, whose analyses share one plan and gather their statistics in one pass.

    Args:
        upstream_dim, upstream_rate: s3prl's; every tap knows its own.
        downstream_expert: options; those left out are taken from the downstream's config.yaml.
        expdir: the folder that gets results.jsonl.
        taps: what the upstream exposes.
        selected: the names of those that `-s` and `-l` mean; None for all.
        provenance: the fields of a results row that describe the upstream and the software.
        gathering: of a suite; its plan is made from the options `corpus`, `split_by`, `shared_texts` when it is not
            given.
        device: where the states are.
        seed: of the run; decides folds and samples.

    Attributes:
        gathering: the plan and the statistics of the pass.
        upstream_taps: as given; grids and counts of frames are those of all of them, whichever are measured.
        measured: the taps that have rows: those that the option `taps` and `selected` have in common.
        taps: those that are seen: with the base tap of an intra-model measure, where it is not among them.
        base: the position of that one in `taps`; None without such a measure.
        plan: what is decided about the corpus.
        rows: the results, once they are computed.
        tokens: measure of segments -> how many tokens it asks for, finds and uses.
        reads: files that decide its numbers, besides the corpus -> their digests.

    Raises:
        UserError: an option that does not exist or cannot be used, a corpus that cannot be read or is too small, or
            statistics that would not fit into memory.
    """

    takes_states = True
    name: ClassVar[str]
    known_measures: ClassVar[tuple[str, ...]]
    option_types: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        upstream_dim: int,
        upstream_rate: Stride,
        downstream_expert: dict[str, Any],
        expdir: str,
        taps: Sequence[Tap],
        provenance: dict[str, Any],
        gathering: Gathering | None = None,
        selected: Sequence[str] | None = None,
        device: str | torch.device = "cpu",
        seed: int = DEFAULT_SEED,
        **kwargs: Any,
    ):
        super().__init__()
        self.options = Options(self.name, downstream_expert, self.types())
        measures = self.options.chosen("measures", self.known_measures)
        self._reading = self.options["batch_size"], self.options["num_workers"]
        self._batch_seconds = self.options["batch_seconds"]
        self.expdir = expdir
        self.upstream_taps = tuple(taps)
        self._choose(measures, selected)
        self.device = torch.device(device)
        self.provenance = dict(provenance)
        self._leads = gathering is None
        whole = self._checked(gathering) if gathering is not None else Gathering(self._new_plan(seed), self._storage())
        self.gathering = whole.at(self.upstream_taps, self.taps)
        self.plan = self.gathering.plan
        self.rows: list[Row] = []
        self.reads: dict[str, str | None] = {}
        self.make_row = RowMaker(self.name, provenance, self.plan, self.options.decisive)
        self.make_row.check(measures)
        if self._leads:
            for line in self.plan.summary():
                self.say(line)
        self.tokens: dict[str, TokenCount] = {}
        self.measures: list[Measure] = self.build(measures)
        self.say(memory.check_memory(self.gathering, self.options, scoring_bytes(self.measures)))

    @classmethod
    def types(cls) -> dict[str, Any]:
        """Option -> what it may be, as an annotation that pydantic reads."""
        return {**COMMON_TYPES, "measures": some_of(cls.known_measures, 1), **cls.option_types}

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The measures, whose statistics are asked of `gathering`.

        Args:
            measures: which of `known_measures` are wanted.
        """
        raise NotImplementedError

    def get_dataloader(self, split: str) -> Waveforms:
        """The utterances that the plan needs, always in the same batches.

        Args:
            split: s3prl's; an analysis is of the whole corpus that its options name.
        """
        needed, fold = self.plan.needed.tolist(), self.plan.folds.of_utterance
        utterances, skips = self.plan.corpus.utterances, self.gathering.skips
        return Waveforms(utterances, needed, fold, *self._reading, skips, self._batch_seconds)

    def forward(self, split: str, states: States, positions: Sequence[int], **kwargs: Any) -> None:
        """Take in one batch.

        Args:
            split: s3prl's.
            states: of the batch.
            positions: of its utterances in the plan's corpus.

        Raises:
            UserError: the states are not finite.
        """
        if states.taps != self.upstream_taps:
            raise ValueError("the taps of this batch are not those that the analysis was built for")
        self.gathering.update(Batch(states, positions, self.plan))

    def analyse(self, states_of: StatesOf, upstream: Any) -> None:
        """The whole of an analysis: the pass over the corpus, the scores, the results.

        Args:
            states_of: the upstream.
            upstream: tells it from any other; see `provenance.identity`.
        """
        analyse([self], self.name, states_of, upstream)

    def log_records(self, split: str, **kwargs: Any) -> list[str]:
        """Compute all rows, write them into the experiment's folder, and say what was left out.

        Returns:
            Names of checkpoints to save: none.
        """
        steps = sum(len(measure) for measure in self.measures)
        threads = 1 if self.gathering.storage.folder else min(torch.get_num_threads(), MOST_THREADS)
        with (
            threadpool_limits(1),  # more threads spend more on waiting for each other than these matrices take
            tqdm(total=steps, desc=f"{self.name}: scores", unit="tap", dynamic_ncols=True) as progress,
        ):
            self.rows = []
            for rows in self._computed(threads):
                self.rows += [row for row in rows if self._is_measured(row)]
                self.gathering.storage.let_go()
                memory.give_back()
                progress.update()
        results.write(self.expdir, self.rows)
        counts = [*self.tokens.values(), *(each.tokens() for each in self.measures if isinstance(each, CountsTokens))]
        found = token_counts.records(counts, self.rows)
        token_counts.write(self.expdir, self.name, found)
        for line in token_counts.lines(found):
            self.say(line)
        if self._leads:
            for line in skips.lines(self.plan.corpus.without(self.gathering.skips).skipped):
                self.say(line)
        return []

    def introduce(self, measure: str, sample: Sample, weights: str = WHOLE_FRAMES) -> None:
        """Tell the user what a measure of segments is about, and once how the frame rates blur such segments."""
        self.say(f"{measure}: {sample.line()}")
        self.count(measure, sample)
        if sample.unit == "speaker":
            for note in self.plan.session_folds.notes:
                self.say(note)
        elif self._leads and len(sample):
            self.say(self.plan.crowding(sample, {tap.stride for tap in self.measured}, weights))

    @property
    def coarsest(self) -> Stride:
        """The stride of the upstream's lowest frame rate, in samples; of all its taps, whichever are measured."""
        return max(tap.stride for tap in self.upstream_taps)

    def count(self, measure: str, sample: Sample) -> None:
        """Note how many tokens a measure of segments asks for, finds and uses."""
        found = len(sample) + sum(sample.dropped.values())
        learned = sample.learned if sample.halves else None
        self.tokens[measure] = TokenCount(measure, sample.name, found, sample.dropped, len(sample), learned)

    def say(self, line: str) -> None:
        """Tell the user."""
        if ranks.leads():
            print(f"[{self.name}] {line}", flush=True)

    def _choose(self, measures: Sequence[str], selected: Sequence[str] | None) -> None:
        """Which taps are measured, and which are seen for it."""
        names = self.options.taps("taps", self.upstream_taps)
        chosen = [name for name in names if selected is None or name in selected]
        if not chosen:
            raise UserError(
                f"{self.name}: downstream_expert.taps ({', '.join(names)}) and -s or -l ({', '.join(selected or ())}) "
                "have no tap in common; leave one of them out"
            )
        self.measured = tuple(tap for tap in self.upstream_taps if tap.name in chosen)
        self.taps, self.base = self.measured, None
        if f"{self.name}_intra" in measures:
            base = self.upstream_taps[self.options.tap("base", self.upstream_taps)]
            self.taps = tuple(tap for tap in self.upstream_taps if tap in self.measured or tap == base)
            self.base = self.taps.index(base)

    def _is_measured(self, row: Row) -> bool:
        """Whether a row is of the taps that are measured, and not of one that is seen for the others."""
        names = {tap.name for tap in self.measured}
        of_pair = row.measure.endswith("_matrix") and row.upstream2 is None
        return (row.tap is None or row.tap in names) and not (of_pair and row.tap2 not in names)

    def _computed(self, threads: int) -> Iterator[list[Row]]:
        for measure in self.measures:
            yield from in_threads(measure.jobs(), threads) if isinstance(measure, InPieces) else measure.compute()

    def _storage(self) -> Storage:
        return Storage(Path(self.expdir) / FOLDER if self.options["statistics_on_disk"] else None)

    def _new_plan(self, seed: int) -> Plan:
        split_by, shared_texts = self.options["split_by"], self.options["shared_texts"]
        spec = self.options["corpus"]
        if spec is None:
            raise UserError(f"{self.name}: `corpus` is empty; name one, such as manifest:FOLDER or timit:FOLDER")
        known = fingerprint.read(Path(self.expdir) / fingerprint.FILE_NAME)
        plan = Plan(corpora.open_corpus(spec), seed, split_by, shared_texts, known)
        plan.forget_segments()
        plan.options["corpus"] = spec
        return plan

    def _checked(self, gathering: Gathering) -> Gathering:
        """A given gathering, if this analysis does not ask for another plan."""
        for key, value in gathering.plan.options.items():
            if self.options[key] != value:
                raise UserError(
                    f"{self.name}: {key} is {self.options[key]!r}, but another analysis of this suite set {value!r}; "
                    f"set {key} once, for the whole suite"
                )
        return gathering
