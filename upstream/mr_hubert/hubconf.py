"""The entries that s3prl's hub shows; the network is imported when one is called.

Beside the functions below there is one for every variant in variants.yaml, `mr_hubert_base` and so on: it takes what
`mr_hubert_local` takes, and without `ckpt` it downloads the variant's checkpoint; and one for every small model that
comes with the package.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin import download
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import packaged, variants

if TYPE_CHECKING:
    from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert


def mr_hubert_local(
    ckpt: str | Path | None = None, model_config: str | Path | None = None, refresh: bool = False, **options: Any
) -> UpstreamExpert:
    """An MR-HuBERT from a file: fairseq's own checkpoint, fine-tuned or not, or s3prl's conversion of one.

    Args:
        ckpt: the `.pt` file (`-k`).
        model_config: a YAML file of options (`-g`), as in configs/upstream.
        refresh: part of s3prl's interface; a local file is always read anew.
        options: see `options.Options`.

    Raises:
        UserError: the file or an option cannot be used.
    """
    return _expert("mr_hubert_local", ckpt, model_config, options)


def mr_hubert_url(
    ckpt: str | None = None, model_config: str | Path | None = None, refresh: bool = False, **options: Any
) -> UpstreamExpert:
    """An MR-HuBERT from an address; the file is kept in s3prl's cache.

    Args:
        ckpt: the address of the `.pt` file (`-k`).
        refresh: download it again.
        model_config, options: as in `mr_hubert_local`.

    Raises:
        UserError: the file cannot be fetched or used, or an option is wrong.
    """
    if ckpt is None:
        raise UserError("mr_hubert_url needs an address: give it with -k https://... (or ckpt=...)")
    return _expert("mr_hubert_url", download.fetch(ckpt, refresh=refresh), model_config, options)


def hubert_fairseq_local(
    ckpt: str | Path | None = None, model_config: str | Path | None = None, refresh: bool = False, **options: Any
) -> UpstreamExpert:
    """A plain HuBERT from fairseq's own checkpoint, fine-tuned or not; its transformer is the block `mid`.

    Args, Raises: as `mr_hubert_local`.
    """
    return _expert("hubert_fairseq_local", ckpt, model_config, options)


def hubert_any(
    ckpt: str | Path | None = None, model_config: str | Path | None = None, refresh: bool = False, **options: Any
) -> Any:
    """A HuBERT, whoever saved it: fairseq, s3prl, torchaudio, minimal-hubert or transformers.

    Args:
        ckpt: a file, a folder of transformers or minimal-hubert, a name on transformers' hub, or an address.
        model_config, options: of the entry that loads such a file.
        refresh: download it again.

    Raises:
        UserError: it is in none of these formats, or its entry cannot load it.
    """
    from s3prl_plugin.upstream.mr_hubert.checkpoint import any_format

    if ckpt is None:
        raise UserError(f"{any_format.ENTRY} needs a checkpoint: give a file, a folder or a name on the hub with -k")
    if "://" in str(ckpt):
        ckpt = download.fetch(str(ckpt), refresh=refresh)
    if any_format.entry_of(ckpt) == any_format.FOLDERS:
        from s3prl import hub

        return getattr(hub, any_format.FOLDERS)(ckpt=ckpt, model_config=model_config, refresh=refresh, **options)
    return _expert(any_format.ENTRY, ckpt, model_config, options)


def _expert(
    entry: str, ckpt: str | Path | None, model_config: str | Path | None, options: dict[str, Any]
) -> UpstreamExpert:
    """The upstream of an entry that takes a file."""
    if ckpt is None:
        raise UserError(f"{entry} needs a checkpoint: give its path with -k (or ckpt=...)")
    from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert

    return UpstreamExpert(ckpt, model_config, **options)


def _published(
    name: str,
    ckpt: str | Path | None = None,
    model_config: str | Path | None = None,
    refresh: bool = False,
    **options: Any,
) -> UpstreamExpert:
    """The upstream of a variant's entry."""
    from s3prl_plugin.upstream.mr_hubert.checkpoint.published import PublishedUpstream

    return PublishedUpstream(name, ckpt, model_config, refresh, **options)


def _packaged(
    name: str,
    ckpt: str | Path | None = None,
    model_config: str | Path | None = None,
    refresh: bool = False,
    **options: Any,
) -> UpstreamExpert:
    """The upstream of a model that comes with the package."""
    if ckpt is not None:
        raise UserError(f"{name} has its checkpoint in the package; leave -k out, or load yours with mr_hubert_local")
    return _expert(name, packaged.checkpoint(name), model_config, options)


def __getattr__(name: str) -> Callable[..., UpstreamExpert]:
    """The entry of a variant, or of a model that comes with the package."""
    if name in packaged.names():
        entry = functools.partial(_packaged, name)
        entry.__doc__ = f"{name}, which comes with the package: a small model for trying the software."
        return entry
    if name not in variants.names():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    variant = variants.variant(name)
    entry = functools.partial(_published, name)
    entry.__doc__ = f"{name}, pre-trained on {variant.data}; isolates {variant.isolates}."
    return entry
