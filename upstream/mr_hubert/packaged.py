"""The small trained models that come with the package: a checkpoint and a card each, in the folder `tiny`.

A card (`tiny/NAME.yaml`) says what the model is and is not, how it was grown, and what was measured on it. An entry is
there when both files are.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError, did_you_mean

FOLDER = Path(__file__).with_name("tiny")

_HEADS = ("mask_emb", "final_proj", "label_embs_concat")
_SPECIALS = 4  # fairseq's dictionary begins with four symbols that are no units
_OPTIONS = [
    "final_dim",
    "untie_final_proj",
    "logit_temp",
    "target_glu",
    "mask_prob",
    "mask_length",
    "mask_selection",
    "mask_other",
    "no_mask_overlap",
    "mask_channel_prob",
    "skip_masked",
    "skip_nomask",
    "dropout_features",
    "required_seq_len_multiple",
]


@cache
def names() -> tuple[str, ...]:
    """The entries."""
    return tuple(sorted(card.stem for card in FOLDER.glob("*.yaml") if card.with_suffix(".pt").is_file()))


def checkpoint(name: str) -> Path:
    """The checkpoint of an entry.

    Raises:
        UserError: no packaged model has that name.
    """
    if name not in names():
        raise UserError(f"no packaged model is called {name!r}: {did_you_mean(name, names())}")
    return FOLDER / f"{name}.pt"


def card(name: str) -> dict[str, Any]:
    """What is known of a model.

    Raises:
        UserError: no packaged model has that name.
    """
    import yaml

    said: dict[str, Any] = yaml.safe_load(checkpoint(name).with_suffix(".yaml").read_text(encoding="utf-8"))
    return said


def write_half(source: Path, target: Path, train_step: int | None = None) -> Path:
    """Write a checkpoint of this plugin's pre-training with its weights in half precision.

    Args:
        source: such as OUT/settled/seed1/checkpoint_last.pt.
        target: the file, in fairseq's format as the first is.
        train_step: updates in all, where the weights had had some before the training that wrote `source`.

    Raises:
        UserError: the first cannot be read.
    """
    from s3prl_plugin.upstream.mr_hubert.checkpoint import load as files
    from s3prl_plugin.upstream.mr_hubert.checkpoint import torch_file

    loaded = files.load(source)
    state, options = torch_file.read(source)["model"], torch_file.read(source)["cfg"]["model"]
    heads = {name: tensor.half() for name, tensor in state.items() if name.startswith(_HEADS)}
    return files.save(
        target,
        loaded.network().half(),
        normalize=loaded.normalize,
        train_step=loaded.train_step or 0 if train_step is None else train_step,
        label_rate=loaded.label_rate or 50.0,
        heads=heads,
        single_target=loaded.single_target,
        single_prediction=loaded.single_prediction,
        model_options={name: options[name] for name in _OPTIONS if name in options},
        classes=[len(tensor) - _SPECIALS for name, tensor in heads.items() if name.startswith("label_embs_concat")],
        objective=loaded.objective or None,
    )
