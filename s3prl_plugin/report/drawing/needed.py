"""What charts need: the packages that draw, and rows from whatever holds results."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import current
from s3prl_plugin.inference.folders import folders
from s3prl_plugin.results import STRIDES, Row
from s3prl_plugin.strides import from_float

PACKAGES = ("altair", "vl_convert", "jinja2")
_FIELDS = {field.name for field in fields(Row)}
_ADDED = {"folder", "resolution_ms"}

Data: TypeAlias = Any
"""A folder of a run or a study, what `load_results` returns, or rows."""


def require_altair(*packages: str) -> None:
    """Say how to install what is absent.

    Args:
        packages: what is needed, by the names they are imported by; by default altair alone.

    Raises:
        UserError: one of them is absent.
    """
    absent = [name for name in packages or ("altair",) if importlib.util.find_spec(name) is None]
    if absent:
        raise UserError(f"the report page needs {', '.join(absent)}: pip install 's3prl_plugin[report]'")


def rows_of(data: Data) -> list[Row]:
    """The rows that something holds.

    Raises:
        UserError: there are no results at a path, or a record is none of results.
    """
    return [row for rows in models_of(data).values() for row in rows]


def models_of(data: Data | Mapping[str, Data]) -> dict[str, list[Row]]:
    """Name of a model -> its rows: as a mapping names them, else folders by their names, else the upstreams.

    Raises:
        UserError: there are no results at a path, or a record is none of results.
    """
    if isinstance(data, Mapping):
        return {str(name): rows_of(own) for name, own in data.items()}
    if isinstance(data, str | Path):
        own = folders(data)
        return {Path(folder).resolve().name: list(current.read(folder).rows) for folder in own}
    records: Iterable[Any] = data.to_dict("records") if hasattr(data, "to_dict") else data
    found: dict[tuple[str, str], list[Row]] = {}
    for record in records:
        row = record if isinstance(record, Row) else _row(record)
        folder = "" if isinstance(record, Row) else str(record.get("folder") or "")
        found.setdefault((Path(folder).name if folder else "", row.title), []).append(row)
    by_folder = len({folder for folder, _ in found}) == len(found) > 1
    return {folder if by_folder else upstream: rows for (folder, upstream), rows in found.items()}


def _row(record: Mapping[str, Any]) -> Row:
    """A record of `load_results` as the row that it was."""
    said = {name: value for name, value in record.items() if not _absent(value)}
    known = {name: value for name, value in said.items() if name in _FIELDS}
    known["details"] = {name: value for name, value in said.items() if name not in _FIELDS | _ADDED}
    for name in STRIDES:
        if isinstance(known.get(name), float):
            known[name] = from_float(known[name])
    try:
        return Row(**known)
    except (TypeError, ValueError) as error:
        raise UserError(f"a record of results cannot be drawn: {error}; give all columns of load_results") from None


def _absent(value: Any) -> bool:
    """Whether pandas says that there is nothing."""
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def of_one(rows: Sequence[Row]) -> Row:
    """A row of those that are drawn, for what all say alike.

    Raises:
        UserError: there are none.
    """
    if not rows:
        raise UserError("there are no rows to draw")
    return rows[0]
