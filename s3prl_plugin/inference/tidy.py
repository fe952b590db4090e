"""Results as tidy records: one per number, with the folder that it comes from; a DataFrame where pandas is there."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import current
from s3prl_plugin.inference.folders import folders
from s3prl_plugin.results import STRIDES, Row
from s3prl_plugin.strides import milliseconds, stride_number

# Columns whose values have an order: that in which they come; taps and blocks are in execution order.
ORDERED = ("folder", "upstream", "measure", "score", "tap", "block", "tap2")
_DTYPES = {"int | None": "Int64", "float | None": "float64", "bool": "bool", "str | None": "string", "str": "string"}
_OUTPUTS = "outputs"
_DETAILS = "details"
_FIELDS = [field for field in fields(Row) if field.name != "newer"]


def load(paths: Iterable[str | Path], pandas: bool | None = None) -> Any:
    """The results of some runs; see `s3prl_plugin.load_results`."""
    found = _with_details(list(_records(paths)))
    there = importlib.util.find_spec("pandas") is not None
    if pandas and not there:
        raise UserError("a DataFrame needs pandas: pip install pandas; pandas=False gives a list of dictionaries")
    return _frame(found) if pandas or (pandas is None and there) else found


def _records(paths: Iterable[str | Path]) -> Iterator[dict[str, Any]]:
    """One dictionary per row: `folder`, the row's fields, and `resolution_ms` after `stride`."""
    where = dict.fromkeys(folder for path in paths for folder in folders(path))
    for folder in where:
        found = current.read(folder)
        for note in found.notes:
            warnings.warn(note, stacklevel=2)
        for row in found.rows:
            record: dict[str, Any] = {"folder": str(folder)}
            for field in _FIELDS:
                record[field.name] = getattr(row, field.name)
                if field.name == "stride":
                    record["resolution_ms"] = None if row.stride is None else milliseconds(row.stride)
            yield record


def _with_details(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each detail that any row says as a field of all records, after the others."""
    own = [record.pop(_DETAILS) for record in records]
    names = sorted({name for details in own for name in details} - {field.name for field in _FIELDS})
    return [record | {name: details.get(name) for name in names} for record, details in zip(records, own, strict=True)]


def _frame(records: Sequence[Mapping[str, Any]]) -> Any:
    """A DataFrame whose numbers are numbers and whose categories have their order."""
    import pandas

    types = {"folder": "str", **{field.name: str(field.type) for field in _FIELDS}, "resolution_ms": "float | None"}
    columns = list(records[0]) if records else [name for name in types if name != _DETAILS]
    records = [
        {**record, **{name: record[name] and stride_number(record[name]) for name in STRIDES}} for record in records
    ]
    for name in columns[len(types) - 1 :]:
        kinds = {type(record[name]) for record in records} - {type(None)}
        types[name] = f"{kinds.pop().__name__} | None" if len(kinds) == 1 else ""
    dtypes: dict[str, Any] = {name: _DTYPES[types[name]] for name in columns if types[name] in _DTYPES}
    for name in STRIDES:
        dtypes[name] = "float64" if any(isinstance(record[name], float) for record in records) else "Int64"
    taps, blocks = _in_execution_order(records)
    known = {"tap": taps, "tap2": taps, "block": blocks}
    for name in ORDERED:
        present = {record[name]: None for record in records if record[name] is not None}
        order = [value for value in known.get(name, ()) if value in present]
        dtypes[name] = pandas.CategoricalDtype([*order, *(v for v in present if v not in order)], ordered=True)
    return pandas.DataFrame(records, columns=columns).astype(dtypes)


def _in_execution_order(records: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """All taps and all blocks: as the models have them, blocks as a whole."""
    models: dict[tuple[Any, ...], dict[int, tuple[str, str]]] = {}
    for record in records:
        if record["tap"] is not None and record["tap_index"] is not None:
            whose = (record["folder"], record["upstream"], record["checkpoint_sha256"])
            own = models.setdefault(whose, {})
            if record["block"] or record["tap_index"] not in own:  # a row of another kind may not say the block
                own[record["tap_index"]] = (record["tap"], record["block"] or _OUTPUTS)
    executed = [[found[index] for index in sorted(found)] for found in models.values()]
    blocks = _merged([list(dict.fromkeys(block for _, block in taps)) for taps in executed])
    of = {tap: block for taps in executed for tap, block in taps}
    taps = _merged([[tap for tap, _ in taps] for taps in executed])
    return sorted(taps, key=lambda tap: blocks.index(of[tap])), blocks


def _merged(lists: Iterable[Sequence[str]]) -> list[str]:
    """Several lists as one: what only a later one has stands behind what it follows there."""
    order: list[str] = []
    for names in lists:
        place = 0
        for name in names:
            if name not in order:
                order.insert(place, name)
            place = order.index(name) + 1
    return order
