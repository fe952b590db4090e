"""s3prl 0.4.18 itself: what in its runner and downstreams assumes another machine or an older torch."""

from __future__ import annotations

import functools
import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from s3prl_plugin.compat import (
    caches,
    checkpoints,
    distributed,
    distributions,
    downloads,
    evaluation,
    hooks,
    hub,
    stand_ins,
)
from s3prl_plugin.compat.caches import private_caches
from s3prl_plugin.compat.distributed import undistributed
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.compat.torch import cuda_is_hidden, cuda_is_identity
from s3prl_plugin.errors import UserError

# downstreams with a hard-coded `.cuda()`
CUDA_ONLY = frozenset(
    {
        "atis",
        "audio_snips",
        "enhancement_stft",
        "enhancement_stft2",
        "quesst14_embedding",
        "separation_stft",
        "separation_stft2",
        "sv_voxceleb1",
        "sws2013",
        "voxceleb2_amsoftmax_segment_eval",
        "voxceleb2_ge2e",
    }
)


def install() -> None:
    """Hook the imports of s3prl's modules that need it."""
    hooks.after_import("s3prl.utility.helper", _harmless_isinstance)
    hooks.after_import("s3prl.run_downstream", _harmless_isinstance)
    for name in ("s3prl.utility.helper", "s3prl.run_downstream"):
        hooks.after_import(name, _plain_overrides)
    hooks.after_import("s3prl.downstream.runner", _evaluate_anywhere)
    hooks.after_import("s3prl.downstream.ctc.data", _keep_num_workers)
    hooks.after_import("s3prl.nn.upstream", _whole_strides)
    hooks.after_import("s3prl.downstream.emotion.expert", _head_of_the_runs_seed)
    caches.install()
    checkpoints.install()
    distributed.install()
    distributions.install()
    downloads.install()
    evaluation.install()
    hub.install()
    stand_ins.install()
    # It warns at every import of s3prl.hub that ESPnet is absent; asking for its upstream still says so.
    logging.getLogger("s3prl.upstream.espnet_hubert.expert").setLevel(logging.ERROR)


def _whole_strides(module: ModuleType) -> None:
    """`S3PRLUpstream` counts frames with whole strides; with others it fails, at a place that does not say why."""
    wrapper = module.S3PRLUpstream
    stock = wrapper.__init__

    @functools.wraps(stock)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            stock(self, *args, **kwargs)
        except ValueError:
            if not hasattr(self, "_hidden_sizes"):  # it failed before it asked for strides
                raise
        rates = self.upstream.get_downsample_rates("hidden_states")
        rates = list(rates) if isinstance(rates, list | tuple) else [rates]
        broken = [rate for rate in rates if not float(rate).is_integer()]
        if broken:
            raise UserError(
                f"S3PRLUpstream: frames {broken[0]:.6g} samples apart, and it counts with whole numbers; bring them to "
                "a whole number of samples with pool_to (extra_conf), or use the entry of s3prl.hub"
            )

    wrapper.__init__ = init
    note("s3prl", "0.4.18", "S3PRLUpstream: frames that are no whole number of samples apart are refused in one line")


@contextmanager
def running(downstream: str, device: str, cache: str | Path) -> Iterator[None]:
    """What one of s3prl's downstreams needs while it is built, trained and evaluated.

    Args:
        downstream: its name.
        device: where it runs: "cpu", "cuda", "cuda:1".
        cache: the folder for what it caches about its corpus.
    """
    with ExitStack() as stack:
        stack.enter_context(private_caches(cache))
        if not _is_cuda(device):
            stack.enter_context(cuda_is_hidden())
            if downstream in CUDA_ONLY:
                note("s3prl", "0.4.18", f"{downstream}: its hard-coded .cuda() leaves everything on the CPU")
                stack.enter_context(cuda_is_identity())
        yield


def _harmless_isinstance(module: ModuleType) -> None:
    """`hack_isinstance` served torch < 1.8; it makes isinstance wrong for defaultdicts and for tuples of classes."""
    module.hack_isinstance = lambda: None  # type: ignore[attr-defined]
    note(
        "s3prl",
        "0.4.18",
        "hack_isinstance: does nothing (it breaks the builtin isinstance, and torch >= 1.8 needs no hack)",
    )


def _plain_overrides(module: ModuleType) -> None:
    """-o: values are read, not run."""

    def override(string: str, args: Any, config: dict[str, Any]) -> None:
        from s3prl_plugin.config import overrides

        overrides.apply(string, args, config)

    module.override = override  # type: ignore[attr-defined]
    note("s3prl", "0.4.18", "-o: values are plain values, which may contain '='; none is run")


def _evaluate_anywhere(runner: ModuleType) -> None:
    """Let Runner.evaluate run with `--device cpu` beside a GPU, and on the leader alone in a distributed run."""
    stock = runner.Runner.evaluate

    @functools.wraps(stock)
    def evaluate(self: Any, *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as stack:
            if not _is_cuda(self.args.device):  # it enters torch.cuda.device(args.device) wherever CUDA is found
                stack.enter_context(cuda_is_hidden())
            stack.enter_context(undistributed(self.all_entries))
            return stock(self, *args, **kwargs)

    runner.Runner.evaluate = evaluate
    note("s3prl", "0.4.18", "Runner.evaluate: works with --device cpu beside a GPU, and waits for no other rank")


def _keep_num_workers(data: ModuleType) -> None:
    """The ctc downstream pops num_workers from its config: 12 workers from the second loader on."""
    stock = data.load_dataset

    @functools.wraps(stock)
    def load_dataset(split: str, tokenizer: Any, corpus: dict[str, Any]) -> Any:
        return stock(split, tokenizer, dict(corpus))

    data.load_dataset = load_dataset  # type: ignore[attr-defined]
    note("s3prl", "0.4.18", "ctc: num_workers of the config holds for every loader, not only for the first")


def _head_of_the_runs_seed(expert: ModuleType) -> None:
    """The emotion downstream seeds torch with 0 to draw its dev set, and so draws one head whatever the seed is."""
    import torch

    stock = expert.random_split

    @functools.wraps(stock)
    def random_split(*args: Any, **kwargs: Any) -> Any:
        parts = stock(*args, **kwargs)
        torch.manual_seed(random.getrandbits(63))  # Python's own generator still follows the run's seed
        return parts

    expert.random_split = random_split  # type: ignore[attr-defined]
    note("s3prl", "0.4.18", "emotion: the split into train and dev stays that of seed 0, and the head follows --seed")


def _is_cuda(device: Any) -> bool:
    """Whether a device is a GPU."""
    return str(device).startswith("cuda")
