"""What an analysis adds to the bare forward pass, and whether its memory grows with the corpus."""

from __future__ import annotations

import contextlib
import io
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from benchmarks import memory, simulated
from benchmarks.ratios import Ratio, Settings
from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.cca.expert import DownstreamExpert as Cca
from s3prl_plugin.downstream.mi.expert import DownstreamExpert as Mi
from s3prl_plugin.states.taps import States, Tap
from s3prl_plugin.upstream.mr_hubert import small, variants
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_local

IN_ROUNDS = False
CCA_SHARE, WITH_MI_SHARE = 0.25, 0.35  # of the forward pass, that the analyses may add
GROWTH = 1.1  # of the memory's peak, from an hour to ten
UTTERANCE_S = 12.0
TAPS = 15


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured.

    Attributes:
        variant: a published architecture; None for the small one.
        hours: of simulated speech.
        forwards: batches whose forward is timed, and whose states are fed in turns.
        longer: how many times longer the corpus is whose memory is compared.
        dim: of the cheap features that memory is measured with.
    """

    variant: str | None
    hours: float
    forwards: int
    longer: int
    dim: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that one part of the work takes for all of the corpus."""

    name: str
    seconds: float


def measure(settings: Settings) -> Iterator[Ratio]:
    """Yield the ratios: the forward pass over what analyses add to it; the memory of one hour over that of ten.

    Times are seconds of the processor in one thread. The forward pass is timed on a few batches and multiplied up to
    the whole corpus; statistics are taken of every batch of the corpus, from the states of those few.

    Args:
        settings: how to measure; there is one round whatever they say.
    """
    work = Workload("mr_hubert_base", 1.0, 3, 10, 768)
    if settings.quick:
        work = Workload(None, 0.1, 2, 2, 16)
    with threadpool_limits(1):
        yield from _costs(work, bars=not settings.quick)
    yield _memory(work, bars=not settings.quick)


def _costs(work: Workload, bars: bool) -> Iterator[Ratio]:
    """What CCA adds, what CCA and MI add, and what its jackknife takes."""
    corpus = simulated.corpus(work.hours, UTTERANCE_S)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        states, forward_s = _forward(work, folder)
        forward = forward_s * len(corpus.utterances) / simulated.BATCH
        cca = {"measures": ["cca_mel", "cca_intra", "cca_phone", "cca_word"], "frame_utterances": None}
        plan = partial(Plan, corpus, 0)
        fast = _analysis(folder, plan(), states, [(Cca, cca)])
        both = _analysis(folder, plan(), states, [(Cca, cca), (Mi, {"measures": ["mi_phone"]})])
        full = _analysis(folder, plan(), states[:1], [(Cca, {**cca, "intervals": "jackknife"})])
    name = f"{work.hours:g} h, {len(states[0].taps)} taps"
    yield _share(f"CCA, {name}", forward, fast, CCA_SHARE if bars else None)
    yield _share(f"CCA and mi_phone, {name}", forward, both, WITH_MI_SHARE if bars else None)
    yield _share(f"jackknife of CCA, {name}", forward, full[-1:], None)


def _forward(work: Workload, folder: str) -> tuple[list[States], float]:
    """The states of a few batches, and the median seconds of their forward pass."""
    config = variants.variant(work.variant).config() if work.variant else small.small_config()
    assert config is not None
    upstream = mr_hubert_local(ckpt=str(load.save(f"{folder}/model.pt", small.random_network(config)))).eval()
    found, seconds = [], []
    for number in range(work.forwards + 1):
        waveforms = simulated.noise(simulated.BATCH, UTTERANCE_S, number)
        with torch.no_grad():
            features, spent = _timed(partial(upstream, waveforms))
        found.append(_state_taps(features["states"]))
        seconds.append(spent)
    return found[1:], sorted(seconds[1:])[len(seconds[1:]) // 2]  # the first is a rehearsal


def _analysis(
    folder: str, plan: Plan, states: Sequence[States], wanted: Sequence[tuple[type[AnalysisExpert], dict[str, Any]]]
) -> list[Cost]:
    """What the statistics and each analysis's scores take, for all batches of a plan."""
    gathering = Gathering(plan)
    taps = states[0].taps
    with contextlib.redirect_stdout(io.StringIO()):
        analyses = [
            kind(taps[0].dim, taps[0].stride, options, folder, taps, {"upstream": "bench"}, gathering=gathering)
            for kind, options in wanted
        ]
        spent = 0.0
        for positions, given in zip(simulated.batches(plan), itertools.cycle(states), strict=False):
            batch = Batch(_first(given, len(positions)), positions, plan)
            spent += _timed(partial(gathering.update, batch))[1]
        costs = [Cost("statistics", spent)]
        for analysis in analyses:
            costs.append(Cost(f"scores of {analysis.name}", _timed(partial(analysis.log_records, ""))[1]))
    return costs


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


def _share(name: str, forward: float, costs: Sequence[Cost], share: float | None) -> Ratio:
    """The forward pass over what is added to it."""
    added = sum(cost.seconds for cost in costs)
    parts = ", ".join(f"{cost.name} {cost.seconds:.3g} s" for cost in costs)
    return Ratio.once(
        name=name,
        value=forward / added,
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
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            options = {"frame_utterances": None, "measures": ["cca_mel", "cca_intra", "cca_phone", "cca_word"]}
            Cca(dim, 320, options, folder, taps, {"upstream": "bench"}, gathering=gathering)
            Mi(dim, 320, {"measures": ["mi_phone"]}, folder, taps, {"upstream": "bench"}, gathering=gathering)
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
