"""Reading the options of an upstream's entry, from a file (`-g`) and from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from s3prl_plugin import config
from s3prl_plugin.config import schema
from s3prl_plugin.errors import UserError, did_you_mean

Options = TypeVar("Options", bound=schema.ConfigSection)


def read(kind: type[Options], what: str, path: str | Path | None, given: Mapping[str, Any]) -> Options:
    """The options from a file, and from keyword arguments, which take precedence.

    Args:
        kind: the dataclass that holds and checks them.
        what: they belong to, for messages: "an MR-HuBERT entry".
        path: a YAML file such as those in configs/upstream; None for none.
        given: option -> value.

    Raises:
        UserError: an option is unknown, or a value is not possible; the message names file and line.
    """
    known = schema.names(kind)
    file = config.read(path) if path is not None else config.Config(Path("options"), {}, {})
    file.refuse_unknown(known)
    for name in given:
        if name not in known:
            raise UserError(f"unknown option {name!r} of {what}: {did_you_mean(name, known)}")
    try:
        return kind(**(file.data | dict(given)))
    except UserError as error:
        name = str(error).partition(":")[0]
        raise file.error((name,), str(error)) if name in file.data and name not in given else error from None
