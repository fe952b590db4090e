"""Our forward beside that of s3prl's own `multires_hubert`: time and memory, on one and the same random network."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import s3prl_plugin
from benchmarks import converted, memory
from benchmarks.ratios import Measuring, Ratio, alternate, of_times
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.upstream.mr_hubert import small, variants
from s3prl_plugin.upstream.mr_hubert.checkpoint import load as checkpoint
from s3prl_plugin.upstream.mr_hubert.network.config import Config
from s3prl_plugin.upstream.mr_hubert.network.costs import macs

AGREEMENT = 1e-4  # between the two on equal lengths, where s3prl's states are right


@dataclass(frozen=True, slots=True)
class Workload:
    """What is computed.

    Attributes:
        config: the network's sizes.
        fixed_s, variable_s: the durations of a batch of equal and of one of unequal lengths.
    """

    config: Config
    fixed_s: tuple[float, ...]
    variable_s: tuple[float, ...]


def workload(quick: bool) -> Workload:
    """The base model on 4 x 6 s and on 8 utterances of 2 to 15 s; or a size that takes seconds."""
    if quick:
        return Workload(small.small_config(), (0.5, 0.5), (0.2, 0.4, 0.8))
    config = variants.variant("mr_hubert_base").config()
    assert config is not None
    return Workload(config, (6.0,) * 4, tuple(2 + 13 * i / 7 for i in range(8)))


def measure(settings: Measuring) -> Iterator[Ratio]:
    """Yield the ratios of s3prl's cost to ours.

    Args:
        settings: how to measure.

    Raises:
        UserError: the two do not compute the same, so that no comparison makes sense.
    """
    work = workload(settings.quick)
    with tempfile.TemporaryDirectory() as folder:
        files = write_checkpoints(Path(folder), work.config)
        yield from _times(settings, work, *files)
        yield _memory(settings, work, *files)


def write_checkpoints(folder: Path, config: Config) -> tuple[Path, Path]:
    """One random network in fairseq's format (ours) and in s3prl's."""
    network = small.random_network(config)
    return checkpoint.save(folder / "ours.pt", network), converted.save(folder / "s3prl.pt", network)


def _times(settings: Measuring, work: Workload, our_file: Path, their_file: Path) -> Iterator[Ratio]:
    """The ratios of running times."""
    there = _load_theirs(their_file, settings.device)
    here = _load_ours(our_file, settings.device)
    fixed, variable = (_noise(durations, settings.device) for durations in (work.fixed_s, work.variable_s))
    _refuse_disagreement(there, here, fixed[:2])
    bars = _bars(settings)
    compare = partial(_compare, settings)
    yield compare("fixed batch, float32", partial(there, fixed), partial(here, fixed), bars["float32"])
    yield compare("variable lengths, float32", partial(there, variable), partial(here, variable), bars["variable"])
    half = _load_ours(our_file, settings.device, dtype="bfloat16")
    note = "" if _has_bfloat16(settings.device) else "this processor has no bfloat16 arithmetic: no bar"
    for name, batch in (("fixed batch", fixed), ("variable lengths", variable)):
        theirs, ours = partial(there, batch), partial(half, batch)
        yield compare(f"{name}, bfloat16 beside float32", theirs, ours, bars["bfloat16"], note)
    stop = work.config.block_taps(work.config.blocks[0])[-1]
    stopped = _load_ours(our_file, settings.device, stop_at=stop)
    shares = [f"{_share(work.config, stop, seconds):.2f} for {seconds:g} s" for seconds in (1.0, work.fixed_s[0])]
    note = f"ours whole beside stop_at {stop}, whose share of the multiply-accumulates is {', '.join(shares)}"
    yield compare("stop_at the end of encoder 0", partial(here, fixed), partial(stopped, fixed), bars["stop_at"], note)


def _share(config: Config, stop_at: str, duration_s: float) -> float:
    """The part of a forward's multiply-accumulates that it takes to get to a tap."""
    samples = round(duration_s * SAMPLE_RATE)
    return macs(config, samples, stop_at) / macs(config, samples)


def _bars(settings: Measuring) -> dict[str, float | None]:
    """What is to be reached at base size; nothing at the quick one."""
    names = ("float32", "variable", "bfloat16", "stop_at")
    if settings.quick:
        return dict.fromkeys(names)
    if settings.device != "cpu":
        return dict(zip(names, (None, None, 2.5, 1 / 0.75), strict=True))
    return dict(zip(names, (1.0, 1.3, 1.8 if _has_bfloat16("cpu") else None, 1 / 0.75), strict=True))


def _compare(
    settings: Measuring,
    name: str,
    there: Callable[[], object],
    here: Callable[[], object],
    bar: float | None,
    note: str = "",
) -> Ratio:
    """The ratio of two forwards' times."""
    wait = torch.cuda.synchronize if settings.device != "cpu" else lambda: None
    with torch.no_grad():
        seconds = alternate({"there": there, "here": here}, settings.rounds, wait)
    return of_times(name, seconds["there"], seconds["here"], bar, note)


def _memory(settings: Measuring, work: Workload, our_file: Path, their_file: Path) -> Ratio:
    """The ratio of the peaks of loading and one forward, each in a process of its own."""
    peaks = [
        memory.peak_bytes(_job, load, file, work.variable_s, settings.device, device=settings.device)
        for load, file in ((_load_theirs, their_file), (_load_ours, our_file))
    ]
    there, here = (f"{peak / 1e6:.0f} MB" for peak in peaks)
    note = "peak beyond the imports: loading, and one forward of the variable lengths"
    bar = None if settings.quick else 1.0
    return Ratio.once("peak memory, float32", peaks[0] / peaks[1], there, here, bar, note)


def _job(
    load: Callable[[Path, str], torch.nn.Module], file: Path, durations_s: Sequence[float], device: str
) -> Callable[[], object]:
    """What the memory of is measured: loading a model and one forward."""
    s3prl_plugin.register()
    for module in ("s3prl.upstream.multires_hubert.expert", "s3prl_plugin.upstream.mr_hubert.expert"):
        importlib.import_module(module)
    batch = _noise(durations_s, device)

    def job() -> object:
        with torch.no_grad():
            return load(file, device)(batch)

    return job


def _load_ours(file: Path, device: str, **options: str) -> torch.nn.Module:
    """This plugin's upstream."""
    from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert

    return UpstreamExpert(file, **options).to(device).eval()


def _load_theirs(file: Path, device: str) -> torch.nn.Module:
    """s3prl's own upstream."""
    s3prl_plugin.register()
    from s3prl.upstream.multires_hubert.expert import UpstreamExpert

    return UpstreamExpert(str(file)).to(device).eval()


def _noise(durations_s: Sequence[float], device: str) -> list[Tensor]:
    """The same noise every time, one waveform per duration, in no order of length."""
    draw = torch.Generator().manual_seed(0)
    order = torch.randperm(len(durations_s), generator=draw).tolist()
    lengths = [round(durations_s[i] * SAMPLE_RATE) for i in order]
    return [(0.1 * torch.randn(n, generator=draw)).to(device) for n in lengths]


def _refuse_disagreement(there: torch.nn.Module, here: torch.nn.Module, batch: list[Tensor]) -> None:
    """Speed is compared between two that compute the same."""
    with torch.no_grad():
        pairs = zip(there(batch)["hidden_states"], here(batch)["hidden_states"], strict=True)
        difference = max(float((a - b).abs().max()) for a, b in pairs)
    if difference > AGREEMENT:
        raise UserError(f"our states differ from s3prl's by {difference:.1e}: find out why before measuring speed")


def _has_bfloat16(device: str) -> bool:
    """Whether a processor multiplies bfloat16 matrices itself."""
    if device != "cpu":
        return torch.cuda.is_bf16_supported()
    return any(getattr(torch.cpu, f"_is_{unit}_supported", bool)() for unit in ("avx512_bf16", "amx_tile"))
