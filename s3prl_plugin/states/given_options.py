"""Reading the options of an upstream's entry, from a file (`-g`) and from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from s3prl_plugin import config as config_file
from s3prl_plugin.errors import UserError, did_you_mean

Options = TypeVar("Options")


def read(kind: type[Options], what: str, path: str | Path | None, given: Mapping[str, Any]) -> Options:
    """The options from a file, and from keyword arguments, which take precedence.

    Args:
        kind: the dataclass that holds and checks them.
        what: they belong to, for messages: "an MR-HuBERT entry".
        path: a YAML file such as those in configs/upstream; None for none.
        given: option -> value.

    Raises:
        UserError: an option is unknown, or a value is not possible; the message names the file.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass, which has no type of its own
    values: dict[str, Any] = {}
    if path is not None:
        file = config_file.read(path)
        file.refuse_unknown(known)
        values.update(file.data)
    for name in given:
        if name not in known:
            raise UserError(f"unknown option {name!r} of {what}: {did_you_mean(name, known)}")
    try:
        return kind(**(values | dict(given)))
    except UserError as error:
        raise UserError(f"{path}: {error}" if path is not None else str(error)) from None
