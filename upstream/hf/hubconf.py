"""The entry that s3prl's hub shows; transformers is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError

if TYPE_CHECKING:
    from s3prl_plugin.upstream.hf.expert import UpstreamExpert


def hf(
    ckpt: str | Path | None = None, model_config: str | Path | None = None, refresh: bool = False, **options: Any
) -> UpstreamExpert:
    """A speech encoder of transformers: HuBERT, WavLM, w2v-BERT 2.0, Whisper, Parakeet, Mimi, ...

    Args:
        ckpt: a folder as `save_pretrained` writes it, or a name on the hub (`-k`).
        model_config: a YAML file of options (`-g`).
        refresh: part of s3prl's interface; huggingface_hub keeps its own cache.
        options: see `options.Options`.

    Raises:
        UserError: the model or an option cannot be used.
    """
    if ckpt is None:
        raise UserError("hf needs a folder of transformers, or a name on the hub: give it with -k, or as -u hf:NAME")
    from s3prl_plugin.upstream.hf.expert import UpstreamExpert

    return UpstreamExpert(str(ckpt), model_config, **options)
