"""The small trained models that come with the package: a checkpoint and a card each, in the folder `tiny`.

A card (`tiny/NAME.yaml`) says what the model is and is not, how it was grown, and what was measured on it. An entry is
there when both files are.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from s3prl_plugin.config.plain_yaml import load_packaged
from s3prl_plugin.errors import UserError, did_you_mean

FOLDER = Path(__file__).with_name("tiny")


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

    said: dict[str, Any] = load_packaged(checkpoint(name).with_suffix(".yaml"))
    return said
