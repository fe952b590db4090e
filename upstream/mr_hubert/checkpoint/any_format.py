"""Which entry loads a HuBERT, whoever saved it: fairseq, s3prl, torchaudio, minimal-hubert or transformers."""

from __future__ import annotations

from pathlib import Path

from s3prl_plugin.compat import hf_folder
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.checkpoint import load

ENTRY = "hubert_any"
FOLDERS = "hf"  # the entry for what transformers saves
_FILES = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")


def entry_of(ckpt: str | Path) -> str:
    """The entry for a checkpoint.

    Args:
        ckpt: a file, a folder, or a name on the hub of transformers' models.

    Returns:
        `FOLDERS`, or `ENTRY` where this package itself reads it, or says why not.

    Raises:
        UserError: it is transformers', and no HuBERT, or not all of it.
    """
    path = Path(ckpt)
    if load.is_folder(path):
        return ENTRY
    if path.is_dir():
        kind = hf_folder.config_of(path, str(path))["model_type"]
        if kind != "hubert":
            raise UserError(f"{path}: its model_type is {kind}, and {ENTRY} loads HuBERT; load it with -u {FOLDERS}")
        return FOLDERS
    if not path.exists() and path.suffix not in _FILES:
        return FOLDERS
    is_part = path.name in hf_folder.WEIGHTS and (path.parent / hf_folder.CONFIG).is_file()
    if is_part and not load.is_folder(path.parent):
        raise UserError(f"{path}: a part of what transformers saved; give its folder, -k {path.parent}")
    return ENTRY
