"""What a corpus can carry, before a model is run over it: for `s3prl-plugin ls corpus PATH --dim D`."""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from s3prl_plugin import registry
from s3prl_plugin.analysis.information.mutual_information import from_table
from s3prl_plugin.analysis.measure import Foretells, scoring_bytes
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.labels import eligible
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca.default import jackknife_pair
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.inference.refusal import EFFECTIVE_ROWS_GREY, Verdict, chance_limit, effective_limit
from s3prl_plugin.jobs.durations import about
from s3prl_plugin.states.taps import SAMPLE_RATE, Tap
from s3prl_plugin.strides import milliseconds, stride_number

MEASURES = {
    "cca": ("cca_mel", "cca_intra", "cca_phone", "cca_word", "cca_speaker"),
    "mi": ("mi_phone", "mi_word", "mi_speaker"),
    "abx": ("abx_phone", "abx_word"),
    "words": ("awd_word",),
    "boundaries": ("boundary_phone", "boundary_word"),
    "probe": ("probe_phone", "probe_word", "probe_speaker"),
}
# options of the analyses that bound the tokens of a class
TOKENS = {
    "cca_phone": "phone_tokens",
    "cca_word": "word_tokens",
    "cca_speaker": "speaker_utterances",
    "mi_phone": "phone_tokens_per_half",
    "mi_word": "word_tokens_per_half",
    "mi_speaker": "speaker_utterances_per_half",
}
MEL_DIMENSIONS = 80
DRAWS = 20  # of clusters that mean nothing


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be expected of a measure.

    Attributes:
        measure: its name.
        rows: what it rests on: of CCA and MI, frames or segments in the smallest training set.
        verdict: "fine", "grey" or "refused".
        reason: of the latter two.
        helps: what would make it fine.
        other: of a CCA, the dimensions of the other view.
        says: what the rows are, in words.
        scoring_s: of a layer, where the measure tells it itself.
    """

    measure: str
    rows: int
    verdict: str
    reason: str | None = None
    helps: str | None = None
    other: int | None = None
    says: str | None = None
    scoring_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run of the default analyses over a corpus would be like.

    Attributes:
        dim, stride_ms: of a layer.
        measures: what is to be expected of each.
        audio_s: what the pass hears.
        memory_gb: of the statistics, for each layer.
        scoring_gb: that the scores take besides, once.
        scoring_s: on this machine, for each layer; without the pass, whose time is the upstream's.
    """

    dim: int
    stride_ms: float
    measures: tuple[Expected, ...]
    audio_s: float
    memory_gb: float
    scoring_gb: float
    scoring_s: float

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)

    def text(self) -> str:
        """For a reader."""
        lines = [f"layers of {self.dim} dimensions at {self.stride_ms:g} ms, default options:"]
        for each in self.measures:
            says = each.says or f"{each.rows} training rows"
            lines.append(f"  {each.measure:<14} {each.verdict:<8} {each.reason or says}")
            if each.helps:
                lines.append(f"  {'':<23} what would help: {each.helps}")
        lines += [
            "  CCA as if no row resembled another: of frames of long sounds a third may count",
            f"  the pass hears {self.audio_s / 3600:.3g} h of audio, in the time that the upstream takes for it",
            f"  for each layer: {self.memory_gb:.2g} GB of memory, and about {about(self.scoring_s)} of scoring here",
            f"  (25 layers: {25 * self.memory_gb:.2g} GB, {about(25 * self.scoring_s)})",
            f"  scoring takes {self.scoring_gb:.2g} GB besides, however many layers there are",
        ]
        return "\n".join(lines)


def look(spec: str, dim: int, stride: int = 320, seed: int = 1337) -> Outlook:
    """What to expect of the default analyses.

    Args:
        spec: the corpus, as in a configuration.
        dim: of the upstream's layers.
        stride: samples from one frame to the next.
        seed: of the run; decides folds and samples.

    Raises:
        UserError: the corpus cannot be read, or is too small for folds.
    """
    tap = Tap(0, "layer", None, "layer", stride, dim)
    gathering: Gathering | None = None
    found: list[Expected] = []
    folds, scoring = 0, 0
    for name, measures in MEASURES.items():
        expert = importlib.import_module(f"{registry.downstreams()[name]}.expert").DownstreamExpert
        with contextlib.redirect_stdout(io.StringIO()):  # what it says of itself when it is run
            given = {"corpus": spec, "measures": list(measures), "memory_limit_gb": 1e6}
            made = expert(dim, stride, given, str(Path()), (tap,), {}, gathering=gathering, seed=seed)
        gathering, folds = made.gathering, made.plan.folds.count
        scoring = max(scoring, scoring_bytes(made.measures))
        for measure in made.measures:
            found += _expected(measure, made, tap)
    assert gathering is not None
    plan = gathering.plan
    others = [each.other for each in found if each.other and each.verdict != "refused"]
    return Outlook(
        dim=dim,
        stride_ms=milliseconds(stride),
        measures=tuple(found),
        audio_s=float(plan.seconds[plan.needed].sum()),
        memory_gb=gathering.memory_bytes / 1e9,
        scoring_gb=scoring / 1e9,
        scoring_s=sum(_scoring_s(dim, other, folds) for other in others) + sum(each.scoring_s for each in found),
    )


def _expected(measure: Any, expert: Any, tap: Tap) -> Iterator[Expected]:
    """What to expect of one of an analysis's measures; of frames, of each that shares their statistics."""
    if isinstance(measure, Foretells):
        told = measure.foretell()
        yield replace(_said(told.measure, told.rows, told.verdict, None), says=told.says, scoring_s=told.scoring_s)
        return
    plan: Plan = expert.plan
    if hasattr(measure, "statistics"):
        frames = np.floor(plan.seconds * (SAMPLE_RATE / stride_number(tap.stride)))
        used = measure.statistics.utterances
        rows = _per_fold(plan.folds.of_utterance, frames * used, plan.folds.count)
        limited = "" if used.all() else "frame_utterances"
        for name, other in (("cca_mel", MEL_DIMENSIONS), ("cca_intra", tap.dim)):
            yield replace(_of_rows(name, rows, tap.dim, plan, limited), other=other)
        return
    if not hasattr(measure, "means") or getattr(measure, "name", None) not in TOKENS:
        return  # what is said beside the measures
    sample = measure.means.sample
    kept = np.isin(sample.label, eligible(sample.label, sample.fold))
    lacks = measure.lacks_labels(len(np.unique(sample.label[kept])))
    if lacks:
        yield Expected(measure.name, 0, "refused", lacks)
    elif measure.name.startswith("cca_"):
        count = int(sample.fold.max()) + 1
        rows = _per_fold(sample.fold[kept], np.ones(int(kept.sum())), count)
        dropped = sum(n for reason, n in sample.dropped.items() if reason.startswith("above the number"))
        other = len(np.unique(sample.label[kept])) - 1
        limited = TOKENS[measure.name] if dropped else ""
        yield replace(_of_rows(measure.name, rows, max(tap.dim, other), plan, limited), other=other)
    else:
        yield _of_clusters(measure, sample.label[kept], sample.trains[kept])


def _of_rows(name: str, rows: np.ndarray, dim: int, plan: Plan, limited: str) -> Expected:
    """A CCA, by its rows per fold, as if none resembled another: a run may see fewer effective rows, never more.

    `limited` names the option that bounds them, where one does.
    """
    n_train = int(rows.sum() - rows.max())
    verdict = effective_limit(n_train / dim)
    if not (verdict.refused or verdict.grey):
        return _said(name, n_train, verdict, None)
    wanted = math.ceil(EFFECTIVE_ROWS_GREY * dim)
    factor = wanted / max(n_train, 1)
    hours = factor * plan.seconds.sum() / 3600
    what = "segments" if name in TOKENS else "frames"
    helps = f"{math.ceil(factor * rows.sum())} {what} ({factor:.1f} times as many): {hours:.2g} h of such speech"
    if limited:
        helps += f", or a higher {limited}, which leaves some out"
    return _said(name, n_train, verdict, helps)


def _of_clusters(measure: Any, label: np.ndarray, trains: np.ndarray) -> Expected:
    """MI, by what clusters that mean nothing would give; about, since their sizes are not known before."""
    scored = label[~trains]
    clusters, _ = measure.protocols[0].clusters(measure.unit, scored)
    draw = np.random.default_rng(0)
    shares = []
    for _ in range(DRAWS):
        table = np.zeros((clusters, int(scored.max()) + 1), dtype=np.int64)
        sizes = draw.dirichlet(np.ones(clusters))  # about as uneven as k-means makes them of speech
        np.add.at(table, (draw.choice(clusters, size=len(scored), p=sizes), scored), 1)
        shares.append(from_table(table).chance_share)
    verdict = chance_limit(float(np.mean(shares)))
    helps = (
        f"more tokens of each {measure.unit} (at most {TOKENS[measure.name]} of a class are taken), or fewer classes"
    )
    return _said(measure.name, int(trains.sum()), verdict, helps if verdict.refused or verdict.grey else None)


def _said(name: str, rows: int, verdict: Verdict, helps: str | None) -> Expected:
    kind = "refused" if verdict.refused else "grey" if verdict.grey else "fine"
    return Expected(name, rows, kind, verdict.refused or verdict.grey, helps)


def _per_fold(fold: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """(F,) rows per fold."""
    return np.bincount(fold, weights=rows, minlength=count)


def _scoring_s(dim: int, other: int, folds: int) -> float:
    """Processor seconds that a CCA with its intervals takes on this machine, from one of at most 256 dimensions.

    Args:
        dim: of the layer.
        other: of the other view.
        folds: how many.
    """
    size = min(dim, 256)
    k = min(other, size)
    draw = np.random.default_rng(0)
    rows = [(draw.standard_normal((3 * size, size)), draw.standard_normal((3 * size, k))) for _ in range(folds)]
    began = time.process_time()
    jackknife_pair(PairOfViews([Moments.of(x, y) for x, y in rows]), k)
    # with a thin view the decompositions of the wide one are made once; with a wide one, for every pair of folds
    return (time.process_time() - began) * (dim / size) ** (3 if other >= dim else 2)
