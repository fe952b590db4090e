"""fairseq's dictionary of units, as it lies in a checkpoint: without it neither fairseq nor s3prl reads the file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

MODULE = "fairseq.data.dictionary"


class Dictionary:
    """Stands in for fairseq's class of that name: the same attributes, no code.

    Args:
        classes: how many units there are; unit k is the symbol "k".
    """

    def __init__(self, classes: int):
        specials = ["<s>", "<pad>", "</s>", "<unk>"]
        self.bos_word, self.pad_word, self.eos_word, self.unk_word = specials
        self.symbols = [*specials, *map(str, range(classes))]
        self.count = [1] * len(self.symbols)
        self.indices = {symbol: i for i, symbol in enumerate(self.symbols)}
        self.bos_index, self.pad_index, self.eos_index, self.unk_index = range(4)
        self.nspecial = 4


# Pickles name a class by where it is; a reader finds fairseq's own there.
Dictionary.__module__, Dictionary.__qualname__ = MODULE, "Dictionary"


@contextmanager
def importable() -> Iterator[None]:
    """Inside the block the stand-in is what a pickle finds under fairseq's name, whether fairseq is there or not."""
    modules: dict[str, Any] = {name: ModuleType(name) for name in ("fairseq", "fairseq.data", MODULE)}
    modules[MODULE].Dictionary = Dictionary
    with patch.dict(sys.modules, modules):
        yield
