"""The entries that s3prl's hub shows; the model is imported when one is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError

if TYPE_CHECKING:
    from s3prl_plugin.upstream.hqa.expert import UpstreamExpert

TINY = Path(__file__).with_name("hqa_tiny.safetensors")


def hqa_local(
    ckpt: str | Path | None = None, model_config: str | Path | None = None, refresh: bool = False, **options: Any
) -> UpstreamExpert:
    """A hierarchy of quantised autoencoders from a file.

    Args:
        ckpt: the file (`-k`).
        model_config: a YAML file of options (`-g`).
        refresh: part of s3prl's interface; a local file is always read anew.
        options: see `options.Options`.

    Raises:
        UserError: the file or an option cannot be used.
    """
    if ckpt is None:
        raise UserError("hqa_local needs a checkpoint: give its path with -k (or ckpt=...)")
    from s3prl_plugin.upstream.hqa.expert import UpstreamExpert

    return UpstreamExpert(ckpt, model_config, **options)


def hqa_tiny(
    ckpt: str | Path | None = None, model_config: str | Path | None = None, refresh: bool = False, **options: Any
) -> UpstreamExpert:
    """The small model of this package, trained on generated speech; hqa_tiny.md beside it says how.

    Args, Raises: as `hqa_local`; it takes no checkpoint.
    """
    if ckpt is not None:
        raise UserError(f"hqa_tiny has its own weights; load {ckpt} with -u hqa_local")
    return hqa_local(TINY, model_config, refresh, **options)
