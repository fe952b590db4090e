"""The word alignments of LibriSpeech that are published as one `*.alignment.txt` per chapter.

A line: `84-121123-0000 ",GO,,DO,YOU,HEAR," "0.490,0.890,1.270,1.380,1.490,1.890,2.09"`; empty words are pauses, every
word starts where the one before it ends.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.errors import UserError


def read(path: Path) -> dict[str, list[Segment]]:
    """The words of every utterance of a chapter, with the empty labels of pauses.

    Raises:
        UserError: no such file, or a line is no such line.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); fetch the alignments again") from None
    found: dict[str, list[Segment]] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            utterance, words, ends = line.split()
            labels = words.strip('"').split(",")
            times = [0.0, *(float(end) for end in ends.strip('"').split(","))]
            found[utterance] = [
                Segment(label, start, end) for label, (start, end) in zip(labels, pairwise(times), strict=True)
            ]
        except ValueError:
            form = 'utterance "WORD,WORD" "end,end"'
            raise UserError(f"{path}, line {number}: not an alignment ({form}); fetch the file again") from None
    return found
