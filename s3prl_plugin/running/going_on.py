"""Going on from one of s3prl's checkpoints as if the training had never stopped.

s3prl's checkpoints have the weights, the optimizer, the step and the epoch; its runner begins that epoch anew, with
other random numbers. Here a checkpoint also has the place in the epoch, and the states of the random generators both
when the epoch began (which decide its order, and what its workers draw) and now. The batches that have been seen are
read again and passed over, since workers draw random crops one after another.

Of several processes only one writes checkpoints. There the states follow from the seed, the epoch, the batch and the
process, so that none has to be kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

import torch

from s3prl_plugin import ranks
from s3prl_plugin.compat import checkpoints
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.random_state import RandomState, derived_seed, seed_everything

KEY = "Place"  # in s3prl's checkpoints


class TrainingPlace:
    """Where a training of s3prl's runner is.

    Args:
        seed: of the run.
        checkpoint: to go on from; empty at the beginning.

    Attributes:
        position: the batches of this epoch that have been trained on.
    """

    def __init__(self, seed: int, checkpoint: Mapping[str, Any]):
        self.position = 0
        self._seed = seed
        self._resumed: Mapping[str, Any] | None = checkpoint.get(KEY)
        self._without = "Step" in checkpoint and KEY not in checkpoint
        self._asked: int | None = None  # the epoch whose batches are asked for
        self._began: RandomState | None = None
        self._scaler: torch.amp.GradScaler | None = None

    def watch(self, downstream: torch.nn.Module) -> None:
        """Hand out the batches of a downstream's trainings from now on."""
        get_dataloader = downstream.get_dataloader

        def opened(split: str, *args: Any, **kwargs: Any) -> Any:
            self._asked = kwargs.get("epoch", self._asked)
            # s3prl asks for an epoch, and once more without it where the downstream does not know of epochs
            loader = get_dataloader(split, *args, **kwargs)  # type: ignore[operator]
            if self._asked is None:  # an evaluation
                return loader
            epoch, self._asked = self._asked, None
            return _Batches(loader, lambda: self._batches(loader, epoch))

        downstream.get_dataloader = opened  # type: ignore[assignment]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Inside the block s3prl's runner trains, and its checkpoints have the place."""
        if self._without:
            print("[resume] this checkpoint does not say how far its epoch was: it begins anew", flush=True)
        with ExitStack() as stack:
            stack.enter_context(checkpoints.adding(self._content))
            stack.enter_context(replaced(torch.cuda.amp, GradScaler=self._grad_scaler))
            yield

    def _content(self) -> dict[str, Any]:
        """What a checkpoint has more."""
        began = None if self._began is None else self._began.plain()
        now = RandomState.capture().plain() if ranks.count() == 1 else None
        scaler = self._scaler.state_dict() if self._scaler is not None else None
        return {KEY: {"position": self.position, "began": began, "now": now, "scaler": scaler}}

    def _batches(self, loader: Any, epoch: int) -> Iterator[Any]:
        """The batches of an epoch, from the place on."""
        resumed, self._resumed = self._resumed, None
        several = ranks.count() > 1
        if several:
            self._draw(epoch, "epoch")
        elif resumed is not None and resumed["began"] is not None:
            self._began = RandomState.of_plain(resumed["began"])
            self._began.restore()
        else:
            self._began = RandomState.capture()
        self.position = resumed["position"] if resumed is not None else 0
        batches = iter(loader)
        if self.position:
            print(f"[resume] reads again the {self.position} batches of this epoch that were trained on", flush=True)
            deque(islice(batches, self.position), maxlen=0)
        if resumed is not None and resumed["now"] is not None and not several:
            RandomState.of_plain(resumed["now"]).restore()
        while True:
            if several:
                self._draw(epoch, self.position)
            try:
                batch = next(batches)
            except StopIteration:
                return
            self.position += 1
            yield batch

    def _draw(self, epoch: int, where: int | str) -> None:
        """Put the generators of this process to where a batch of an epoch begins."""
        seed_everything(derived_seed(self._seed, "task", epoch, where, ranks.mine()))

    def _grad_scaler(self, *args: Any, **kwargs: Any) -> torch.amp.GradScaler:
        """What s3prl scales the loss with under `runner.fp16`, as it was."""
        self._scaler = torch.amp.GradScaler("cuda", *args, **kwargs)
        if self._resumed is not None and self._resumed["scaler"]:
            self._scaler.load_state_dict(self._resumed["scaler"])
        return self._scaler


class _Batches:
    """A dataloader whose batches come from elsewhere; every other attribute is its own."""

    def __init__(self, loader: Any, batches: Callable[[], Iterator[Any]]):
        self._loader, self._of = loader, batches

    def __iter__(self) -> Iterator[Any]:
        return self._of()

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
