"""What numpy leaves in a pickle, read without numpy's own constructors: numbers become Python's, arrays nothing.

Training loops put a numpy number among a checkpoint's plain values easily (a best loss, a learning rate). Nothing that
an upstream needs is an array, so their content is skipped.
"""

from __future__ import annotations

import re
import struct
from typing import Any

_NUMBER = re.compile(r"[fiu][248]|[iu]1|b1")
_FORMATS = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "b1": "?"}


class Inert:
    """Stands in for an object of a class that is not loaded."""

    def __init__(self, *args: object, **kwargs: object):
        pass

    def __setstate__(self, state: object) -> None:
        pass


class Bytes:
    """Stands in for `_codecs.encode`, with which a pickle of protocol 2 spells bytes; nothing is encoded yet."""

    def __init__(self, text: object = "", codec: object = ""):
        self.text = text if codec == "latin1" else None


class Dtype:
    """Stands in for `numpy.dtype`."""

    def __init__(self, code: object = "", *args: object):
        self.code = code
        self.order = "<"

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] == ">":
            self.order = ">"


def scalar(dtype: object = None, content: object = None) -> Any:
    """Stands in for `numpy.core.multiarray.scalar`: the number as Python has it; `Inert` for anything else."""
    text = content.text if isinstance(content, Bytes) else None
    if not (isinstance(dtype, Dtype) and isinstance(dtype.code, str) and isinstance(text, str)):
        return Inert()
    if not _NUMBER.fullmatch(dtype.code) or len(text) != int(dtype.code[1]) or not all(ord(c) < 256 for c in text):
        return Inert()
    kind = _FORMATS.get(dtype.code) or _FORMATS[dtype.code.replace("u", "i")].upper()
    return struct.unpack(dtype.order + kind, text.encode("latin1"))[0]


class Reconstruct(Inert):
    """Stands in for `numpy.core.multiarray._reconstruct`, which begins an array."""


class Array(Inert):
    """Stands in for `numpy.ndarray`."""


STAND_INS: dict[str, Any] = {
    "_codecs.encode": Bytes,
    "numpy.dtype": Dtype,
    "numpy.ndarray": Array,
    **{f"numpy.{core}.multiarray.scalar": scalar for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": Reconstruct for core in ("core", "_core")},
}
"""What the pickle names -> what is called in its place."""
