"""What an analysis adds to the bare forward pass, and whether its memory grows with the corpus."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks import memory, simulated
from benchmarks.ratios import Measuring, Ratio
from benchmarks.steps import Steps
from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gather import SAVES_TAKE
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.one_pass.saved_pass import SavedPass, Shard
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.tap_rows import TapRows
from s3prl_plugin.downstream.cca.expert import DownstreamExpert as Cca
from s3prl_plugin.downstream.mi.expert import DownstreamExpert as Mi
from s3prl_plugin.states.taps import States, Tap
from s3prl_plugin.upstream.mr_hubert import small, variants
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_local

IN_ROUNDS = False
CCA_SHARE, WITH_MI_SHARE = 0.15, 0.18  # of the forward pass, that the analyses may add
GROWTH = 1.1  # of the memory's peak, from an hour to ten
UTTERANCE_S = 12.0
TAPS = 15
CHECKPOINT_MINUTES = 3  # as packaged


EVERY = 4  # of how many batches one is taken in
STEPS = {
    "log-mel": ("s3prl_plugin.analysis.mel:log_mel",),
    "segment means": ("s3prl_plugin.analysis.statistics.segment_means:SegmentMeans.update",),
    "frames": ("s3prl_plugin.analysis.statistics.frame_statistics:FrameStatistics.update",),
    "whitening": ("s3prl_plugin.downstream.cca.pair:FoldedView.precision",),
    "eigenvectors": ("s3prl_plugin.downstream.cca.canonical:_spectral",),
    "k-means": ("s3prl_plugin.analysis.information.clusters:learn",),
}


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured.

    Attributes:
        variant: a published architecture; None for the small one.
        hours: of simulated speech.
        longer: how many times longer the corpus is whose memory is compared.
        dim: of the cheap features that memory is measured with.
    """

    variant: str | None
    hours: float
    longer: int
    dim: int


def measure(settings: Measuring) -> Iterator[Ratio]:
    """Yield the ratios: the forward pass over what analyses add to it; the memory of one hour over that of ten.

    Times are seconds of the processor in one thread, with the packaged options. In every round a batch passes forward
    and is taken into the statistics, one after the other: a pair. One batch in four is taken in, the later ones with
    states that are there; forward and statistics are the median times all batches. All segments then get rows that are
    drawn from these states, so that scores are of as many as a whole corpus has.

    All memory of the statistics, and of a save in the system's cache, is written to beforehand: the system hands it out
    once, however long the corpus is, and what that costs is of the machine (70 us a page were seen in a virtual one,
    which had it from its host first; a first save took five times as long as the second).

    Args:
        settings: how to measure.
    """
    work = Workload("mr_hubert_base", 1.0, 10, 768)
    if settings.quick:
        work = Workload(None, 0.1, 2, 16)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield from _costs(work, settings.rounds, bars=not settings.quick)
    torch.set_num_threads(threads)
    yield _memory(work, bars=not settings.quick)


def _costs(work: Workload, rounds: int, bars: bool) -> Iterator[Ratio]:
    """What CCA adds, what CCA and MI add, and where it goes."""
    plan = Plan(simulated.corpus(work.hours, UTTERANCE_S), 0)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()), Steps(STEPS) as steps:
        upstream = _upstream(work, folder)
        heard = simulated.noise(simulated.BATCH, UTTERANCE_S)
        with torch.no_grad():
            taps = _state_taps(upstream(heard)["states"]).taps
        gathering = Gathering(plan)
        cca, mi = _build(folder, taps, gathering)
        saved = SavedPass(folder, "cca", Shard(), {})
        memory_s = _timed(partial(_take_memory, gathering, saved))[1]
        forward, statistics = [], []
        chosen = simulated.batches(plan)
        for number, positions in enumerate(chosen[::EVERY]):
            if number < rounds:
                with torch.no_grad():
                    features, spent = _timed(partial(upstream, heard[: len(positions)]))
                states = _state_taps(features["states"])
                forward.append(spent)
                del features
            batch = Batch(_first(states, len(positions)), positions, plan)
            statistics.append(_timed(partial(gathering.update, batch))[1])
            del batch
        _draw_rows(gathering, states)
        passing, gathered = (len(chosen) * median(times) for times in (forward, statistics))
        save_s = _timed(partial(saved.save, gathering, len(chosen)))[1]
        saves = save_s * (1 + passing // max(60 * CHECKPOINT_MINUTES, save_s / SAVES_TAKE))
        scores = {each.name: _timed(partial(each.log_records, ""))[1] for each in (cca, mi)}
    name = f"{work.hours:g} h, {len(taps)} taps"
    pairs = [a / b for a, b in zip(forward, statistics[:rounds], strict=True)]
    yield Ratio(
        name=f"statistics, {name}",
        value=median(pairs),
        low=min(pairs),
        high=max(pairs),
        there=f"{passing:.4g} s",
        here=f"{gathered:.3g} s",
        note=f"of {rounds} pairs of one batch: adds {100 / median(pairs):.1f} % to the forward pass",
    )
    of_cca = {"statistics": gathered, "saves": saves, "scores of cca": scores["cca"]}
    yield _share(f"CCA, {name}", passing, of_cca, CCA_SHARE if bars else None)
    both = {**of_cca, "scores of mi": scores["mi"]}
    yield _share(f"CCA and mi_phone, {name}", passing, both, WITH_MI_SHARE if bars else None)
    seen = len(chosen[::EVERY]) / len(chosen)
    yield _share("step: memory that the system hands out", passing, {"memory": memory_s}, None)
    for step, seconds in steps.seconds.items():
        whole = seconds / seen if step in ("log-mel", "segment means", "frames") else seconds
        yield _share(f"step: {step}", passing, {step: whole}, None)


def _take_memory(gathering: Gathering, saved: SavedPass) -> None:
    """Write to all of the memory that statistics are kept in, and to what the system keeps of the file of a save."""
    for statistic in gathering.statistics.values():
        if isinstance(statistic, TapRows):
            for rows in statistic.kept:
                rows[:] = 0
            continue
        for of_stride in statistic.state_dict().values():
            for fold in of_stride["folds"]:
                for scatter in fold["scatter"]:
                    scatter.zero_()
    saved.save(gathering, 0)
    saved.remove()


def _draw_rows(gathering: Gathering, states: States) -> None:
    """Fill the rows of all segments with means of two neighbouring frames, drawn anew for every segment: a few batches
    that are taken in again and again would leave fewer different rows than there are dimensions."""
    draw = np.random.default_rng(0)
    for statistic in gathering.statistics.values():
        if not isinstance(statistic, TapRows):
            continue
        utterance = draw.integers(len(states.waveforms), size=len(statistic.seen))
        place = draw.random(len(statistic.seen))
        for rows, tensor in zip(statistic.kept, states.tensors, strict=True):
            frame = (place * (tensor.shape[1] - 1)).astype(np.int64)
            rows[:] = (tensor[utterance, frame] + tensor[utterance, frame + 1]).numpy() / 2
        statistic.seen[:] = True


def _upstream(work: Workload, folder: str) -> torch.nn.Module:
    """A model with random weights."""
    config = variants.variant(work.variant).config() if work.variant else small.small_config()
    assert config is not None
    return mr_hubert_local(ckpt=str(load.save(f"{folder}/model.pt", small.random_network(config)))).eval()


def _build(folder: str, taps: Sequence[Tap], gathering: Gathering) -> list[AnalysisExpert]:
    """CCA and MI of phones with the packaged options."""
    with contextlib.redirect_stdout(io.StringIO()):
        return [
            kind(taps[0].dim, taps[0].stride, options, folder, taps, {"upstream": "bench"}, gathering=gathering)
            for kind, options in ((Cca, {}), (Mi, {"measures": ["mi_phone"]}))
        ]


def _state_taps(states: States) -> States:
    """The states of the layers, without the model's outputs."""
    kept = [i for i, tap in enumerate(states.taps) if tap.role == "state"]
    return States(
        [states.taps[i] for i in kept],
        [states.tensors[i] for i in kept],
        [states.lengths[i] for i in kept],
        states.waveforms,
    )


def _first(states: States, count: int) -> States:
    """The first utterances of a batch."""
    return States(
        states.taps,
        [tensor[:count] for tensor in states.tensors],
        [lengths[:count] for lengths in states.lengths],
        states.waveforms[:count],
    )


def _share(name: str, forward: float, costs: Mapping[str, float], share: float | None) -> Ratio:
    """The forward pass over what is added to it."""
    added = sum(costs.values())
    parts = ", ".join(f"{cost} {seconds:.3g} s" for cost, seconds in costs.items())
    return Ratio.once(
        name=name,
        value=forward / max(added, 1e-9),
        there=f"{forward:.4g} s",
        here=f"{added:.3g} s",
        bar=1 / share if share else None,
        note=f"adds {100 * added / forward:.1f} % to the forward pass: {parts}",
    )


def _memory(work: Workload, bars: bool) -> Ratio:
    """The peak of a pass over a corpus beside that of one many times longer."""
    short, long = (memory.peak_bytes(_prepare, hours, work.dim) for hours in (work.hours, work.hours * work.longer))
    return Ratio.once(
        name=f"memory, {work.hours:g} h beside {work.hours * work.longer:g} h",
        value=short / long,
        there=f"{short / 1e6:.0f} MB",
        here=f"{long / 1e6:.0f} MB",
        bar=1 / GROWTH if bars else None,
        note=f"peak of CCA and mi_phone beyond what imports take; {TAPS} taps of {work.dim} dimensions, no model",
    )


def _prepare(hours: float, dim: int) -> Callable[[], object]:
    """A pass over simulated speech with cheap features, for a process of its own."""
    torch.set_num_threads(1)
    # Statistics of the base model's size, from few frames: their size does not depend on how many there are.
    taps = tuple(Tap(i, f"tap{i}", None, f"tap{i}", 2560 * (1 + i % 2), dim) for i in range(TAPS))

    def job() -> None:
        plan = Plan(simulated.corpus(hours, UTTERANCE_S), 0)
        plan.forget_segments()
        gathering = Gathering(plan)
        with tempfile.TemporaryDirectory() as folder:
            _build(folder, taps, gathering)
        chosen = simulated.batches(plan)
        cheap = simulated.cheap_states(taps, len(chosen), UTTERANCE_S)
        for positions, states in zip(chosen, cheap, strict=True):
            gathering.update(Batch(_first(states, len(positions)), positions, plan))

    return job


def _timed(job: Callable[[], Any]) -> tuple[Any, float]:
    """What a job returns, and the seconds of the processor that it takes."""
    start = time.process_time()
    found = job()
    return found, time.process_time() - start
