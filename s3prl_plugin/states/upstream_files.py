"""The checkpoint that is named for an upstream: it is read, or it is refused with the entry that would read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from s3prl_plugin import own_upstreams, registry
from s3prl_plugin.compat import transformers
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import entry_arguments
from s3prl_plugin.states.loaded_weights import LoadedWeights


def check(upstream: str, checkpoint: str | None) -> None:
    """Refuse a checkpoint that an entry would leave unread, loading its own.

    Args:
        upstream: the entry, as in `-u`.
        checkpoint: as in `-k`.

    Raises:
        UserError: with the entries that read such a file; or the file is not there.
    """
    if checkpoint is None:
        return
    known = upstream in registry.upstreams()  # which refuse it themselves
    if not known and entry_arguments.uses(upstream).ckpt is False:
        readers = _readers(upstream, checkpoint)
        load = f"load it with -u {readers}, or leave it out" if readers else "leave it out"
        raise UserError(f"{checkpoint}: {upstream} does not read the checkpoint that it is given; {load}")
    is_path = (_is_of_s3prl(upstream) and not transformers.fetches(upstream)) or upstream.endswith("_local")
    if is_path and "://" not in checkpoint and not Path(checkpoint).exists():
        raise UserError(f"{checkpoint}: no such file; {upstream} loads a local checkpoint")


@contextmanager
def loading(upstream: str, checkpoint: str | None) -> Iterator[Loading]:
    """Inside the block an entry of s3prl's loads its model: what goes wrong with its files is said in one line.

    Args:
        upstream: the entry.
        checkpoint: as in `-k`.

    Yields:
        What checks that all of the model was loaded.

    Raises:
        UserError: the file cannot be loaded by this entry, with the entry that can, where there is one.
    """
    found = Loading(upstream, checkpoint)
    try:
        with found.weights.watching():
            yield found
    except UserError:
        raise
    except Exception as error:  # of torch, pickle or s3prl, of any kind
        if not _is_of_s3prl(upstream):
            raise
        reason = (str(error).strip().partition("\n")[0] or type(error).__name__)[:150]
        if checkpoint is None:
            if entry_arguments.uses(upstream).ckpt:
                raise UserError(f"{upstream} needs a checkpoint: give it with -k") from error
            raise
        reader = own_upstreams.entry_for(Path(checkpoint))
        cure = f"load it with -u {reader}" if reader else "give one that this entry reads"
        raise UserError(f"{checkpoint}: {upstream} cannot load this file ({reason}); {cure}") from error


class Loading:
    """An upstream that is being loaded.

    Args:
        upstream: the entry.
        checkpoint: as in `-k`.

    Attributes:
        weights: what comes from files.
    """

    def __init__(self, upstream: str, checkpoint: str | None):
        self.weights = LoadedWeights()
        self._named = checkpoint or upstream

    def check(self, model: torch.nn.Module) -> None:
        """Refuse a model that is partly random.

        Raises:
            UserError: the file lacks weights on which the states depend.
        """
        random = self.weights.random(model)
        if random:
            more = f" and {len(random) - 1} more" if len(random) > 1 else ""
            raise UserError(
                f"{self._named}: {random[0]}{more} are missing in the file and would be random, and the states depend "
                "on them; give a checkpoint that holds the whole model"
            )


def _readers(upstream: str, checkpoint: str) -> str:
    """The entries that would read a checkpoint: by its content, else those of the same family."""
    reader = own_upstreams.entry_for(Path(checkpoint))
    names = [reader] if reader else entry_arguments.readers(upstream, "ckpt")
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _is_of_s3prl(upstream: str) -> bool:
    """Whether an entry is one of s3prl's own."""
    import s3prl.hub

    return str(getattr(getattr(s3prl.hub, upstream, None), "__module__", "")).startswith("s3prl.")
