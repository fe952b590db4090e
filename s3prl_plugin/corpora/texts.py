"""Transcripts made comparable."""

from __future__ import annotations

import re
import unicodedata


def normalised(text: str) -> str:
    """A transcript in lower case with words and apostrophes alone, so that the same text is the same string.

    >>> normalised("Don't ask me -- to carry  an oily rag!")
    "don't ask me to carry an oily rag"
    """
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text))


def is_word(label: str) -> bool:
    """Whether a label of a word tier names a word, and not a gap ("") or a mark (<eps>, [noise])."""
    return bool(label) and (label[0], label[-1]) not in (("<", ">"), ("[", "]"))
