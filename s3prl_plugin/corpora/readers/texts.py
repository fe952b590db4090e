"""Transcripts and words made comparable."""

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


def compared(word: str, keep_case: bool = False) -> str:
    """A word as it is compared with others: NFC, without regard to case, and less the punctuation around it.

    Apostrophes stay. What is punctuation alone stays as it is.

    >>> [compared(word) for word in ("Oily,", "ma'am", "'em", "--")]
    ['oily', "ma'am", "'em", '--']
    """
    word = unicodedata.normalize("NFC", word).replace("’", "'")
    if not keep_case:
        word = unicodedata.normalize("NFC", word.casefold())
    kept = [i for i, letter in enumerate(word) if letter == "'" or not unicodedata.category(letter).startswith("P")]
    bare = word[kept[0] : kept[-1] + 1] if kept else ""
    return bare if any(letter != "'" for letter in bare) else word
