"""Training a head on a frozen upstream with the feature store, beside the same training with s3prl alone."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import s3prl_plugin
from benchmarks import forward
from benchmarks.ratios import Measuring, Ratio
from s3prl_plugin import superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import small, variants
from s3prl_plugin.upstream.mr_hubert.network.config import Config

IN_ROUNDS = False
BAR, BAR_ONE_TAP = 5.0, 8.0
LAYER = 4  # of -l: the last of the first encoder in the base model, where the network leaves its finest frame rate


@dataclass(frozen=True, slots=True)
class Workload:
    """What is trained.

    Attributes:
        config: the network's sizes.
        words: files in train/dev/test; noise, of which training takes random crops, comes on top.
        batch_size: utterances in a batch.
        steps: batches in an epoch; with the three files of noise they are as many utterances as there are files.
        epochs: how often the training set is gone through.
        layer: the one of `-l`.
    """

    config: Config
    words: tuple[int, int, int]
    batch_size: int
    steps: int
    epochs: int
    layer: int


@dataclass(frozen=True, slots=True)
class Training:
    """What a training took and gave.

    Attributes:
        cpu_s, clock_s: seconds of the processor, and as they pass.
        batches: the names of all training utterances in their order.
        scores: on the test set.
        note: what the store did.
    """

    cpu_s: float
    clock_s: float
    batches: str
    scores: dict[str, float]
    note: str = ""


def workload(quick: bool) -> Workload:
    """A quarter of the generated corpus of keyword spotting in SUPERB's batches, ten times; or what takes seconds."""
    if quick:
        return Workload(small.small_config(), (13, 4, 4), 4, 4, 2, 2)
    config = variants.variant("mr_hubert_base").config()
    assert config is not None
    return Workload(config, (61, 10, 20), 32, 2, 10, LAYER)


def measure(settings: Measuring) -> Iterator[Ratio]:
    """Yield the ratios of s3prl's time to ours: summed over all layers, and with one layer.

    Both train KS's head with the same seed on the same batches and evaluate it once on dev. s3prl runs alone, with its
    own upstream; ours begins with an empty store. Loading the upstream is left out on both sides.

    Args:
        settings: how to measure; there is one round whatever they say.

    Raises:
        UserError: there is no speech synthesis, or the two do not train the same.
    """
    s3prl_plugin.register()
    work = workload(settings.quick)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        ours, theirs = forward.write_checkpoints(Path(folder), work.config)
        config = _config(work, _corpus(Path(folder), work))
        for layer, bar in ((None, BAR), (work.layer, BAR_ONE_TAP)):
            where = Path(folder) / f"layer-{layer}"
            there = _train(where / "s3prl", False, theirs, config, layer, settings.device)
            here = _train(where / "ours", True, ours, config, layer, settings.device)
            yield _ratio(work, layer, there, here, None if settings.quick else bar)


def _ratio(work: Workload, layer: int | None, there: Training, here: Training, bar: float | None) -> Ratio:
    """Two trainings beside each other."""
    if there.batches != here.batches:
        raise UserError("the two did not train on the same batches: find out why before measuring speed")
    tap = work.config.taps()[layer].name if layer is not None else ""
    name = "weighted sum of all layers" if layer is None else f"-l {layer} ({tap})"
    losses = ", ".join(f"{run.scores['speech_commands/test-loss']:.4f}" for run in (there, here))
    hits = ", ".join(f"{run.scores['speech_commands/test-acc']:.3f}" for run in (there, here))
    note = (
        f"{work.epochs} epochs of {work.steps} x {work.batch_size}, dev once; ours: {here.note}; "
        f"test loss {losses}, accuracy {hits}; by the clock {there.clock_s / here.clock_s:.2f}"
    )
    costs = f"{there.cpu_s:.3g} s", f"{here.cpu_s:.3g} s"
    return Ratio.once(f"KS, {name}", there.cpu_s / here.cpu_s, *costs, bar, note)


def _train(
    folder: Path, ours: bool, checkpoint: Path, config: dict[str, Any], layer: int | None, device: str
) -> Training:
    """Train and score once: s3prl alone with its own upstream, or ours with a store."""
    from s3prl.downstream.runner import ModelEntry
    from s3prl.downstream.runner import Runner as StockRunner

    from s3prl_plugin.compat.s3prl import running
    from s3prl_plugin.random_state import RandomState
    from s3prl_plugin.running.runner import Runner
    from s3prl_plugin.store.options import Options
    from s3prl_plugin.store.suite import SuiteStore

    folder.mkdir(parents=True)
    args = _arguments(folder, "mr_hubert_local" if ours else "multires_hubert_local", checkpoint, layer, device)
    model = (forward._load_ours if ours else forward._load_theirs)(checkpoint, device)
    entry = ModelEntry(model, "Upstream", False, ["get_downsample_rates"])
    _seed()

    class Stock(StockRunner):
        """s3prl's runner, given a model that has been loaded."""

        def _get_upstream(self) -> Any:
            return entry

    silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with silent[0], silent[1], running(args.downstream, device, folder / ".cache"):
        cpu, clock = time.process_time(), time.perf_counter()
        store = SuiteStore(Options(), model, args) if ours else None
        given = (entry, RandomState.capture())
        runner = Stock(args, config) if store is None else Runner(args, config, given, store.for_task("KS"))
        runner.train()
        note = "" if store is None else store.end_task("KS")
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        scores = superb.ScalarRecorder()
        runner.evaluate("test", scores, global_step=1)
    return Training(cpu, clock, (folder / "train_truth.txt").read_text(), scores.scalars, note)


def _seed() -> None:
    """The same numbers for both."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def _arguments(folder: Path, upstream: str, checkpoint: Path, layer: int | None, device: str) -> argparse.Namespace:
    """s3prl's command-line arguments, as far as its runner reads them."""
    return argparse.Namespace(
        upstream=upstream,
        upstream_ckpt=str(checkpoint),
        upstream_model_config=None,
        upstream_refresh=False,
        upstream_trainable=False,
        upstream_feature_selection="hidden_states",
        upstream_layer_selection=layer,
        upstream_feature_normalize=False,
        downstream="speech_commands",
        downstream_variant=None,
        expdir=str(folder),
        init_ckpt=None,
        device=device,
        seed=0,
        push_to_hf_hub=False,
    )


def _corpus(folder: Path, work: Workload) -> superb.TaskCorpus:
    """As many files of the generated corpus as the workload says, word by word, and its noise."""
    from s3prl_plugin.corpora.generated.layouts.speech_commands import NOISE, TEST, TRAIN, which_set

    whole = superb.prepare(superb.task("KS"), "generated", folder / "data").root
    part = folder / "part"
    spoken = [path for path in (whole / TRAIN).glob("*/*.wav") if path.parent.name != NOISE]
    wanted = list((whole / TRAIN / NOISE).iterdir())
    for name, count in zip(("train", "dev"), work.words, strict=False):
        wanted += _in_turns([path for path in spoken if which_set(path.name) == name])[:count]
    wanted += _in_turns(list((whole / TEST).glob("*/*.wav")))[: work.words[2]]
    for path in wanted:
        link = part / path.relative_to(whole)
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(path.resolve(), link)
    return superb.TaskCorpus(part, "generated", "generated", part, laid_out=True)


def _in_turns(files: list[Path]) -> list[Path]:
    """Files in turns from their folders."""
    folders: dict[str, list[Path]] = {}
    for path in sorted(files):
        folders.setdefault(path.parent.name, []).append(path)
    return [path for turn in zip_longest(*folders.values()) for path in turn if path is not None]


def _config(work: Workload, corpus: superb.TaskCorpus) -> dict[str, Any]:
    """KS's settings: so many epochs, one evaluation at their end."""
    steps = work.epochs * work.steps
    runner = {"total_steps": steps, "log_step": steps, "eval_step": steps, "save_step": steps}
    override = {
        "runner": runner,
        "optimizer": {"lr": 1.0e-3},
        "downstream_expert": {"datarc": {"num_workers": 0, "batch_size": work.batch_size}},
    }
    return superb.task("KS").settings({"override": override}, corpus)
