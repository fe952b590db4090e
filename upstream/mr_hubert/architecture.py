"""The architecture behind an entry, known without building a network."""

from __future__ import annotations

from pathlib import Path

from s3prl_plugin import download
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import pooling
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.upstream.mr_hubert import options, packaged, variants
from s3prl_plugin.upstream.mr_hubert.network.config import Config


def config(entry: str, ckpt: str | Path | None = None) -> Config:
    """The sizes of the network that an entry would build, as far as they decide its taps.

    Args:
        entry: a variant's, or one that takes a checkpoint.
        ckpt: the checkpoint; a variant's own where it is None, which is only read (and downloaded) when the
            description of the variant does not give the architecture.

    Raises:
        UserError: there is no such entry, or the checkpoint is missing or unusable.
    """
    if ckpt is None and entry in packaged.names():
        ckpt = packaged.checkpoint(entry)
    if ckpt is None:
        if entry in variants.other_entries():
            raise UserError(f"{entry} needs a checkpoint: give its path or address with -k")
        described = variants.variant(entry).config()
        if described is not None:
            return described
        ckpt = variants.variant(entry).checkpoint()
    elif "://" in str(ckpt):
        ckpt = download.fetch(str(ckpt))
    from s3prl_plugin.upstream.mr_hubert.checkpoint import load

    return load.load(ckpt).config


def taps(entry: str, ckpt: str | Path | None = None, model_config: str | Path | None = None) -> tuple[Tap, ...]:
    """The taps that an entry's upstream would show, under its options.

    Args:
        entry, ckpt: as in `config`.
        model_config: a YAML file of options; `stop_at` and `pool_to` change the taps.

    Raises:
        UserError: as in `config`, or an option is wrong.
    """
    chosen = options.read(model_config, {})
    found = config(entry, ckpt).taps(chosen.stop_at)
    return found if chosen.pool_to is None else pooling.pool_taps(found, pooling.parse(chosen.pool_to))
