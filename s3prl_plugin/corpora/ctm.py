"""CTM, as NIST defined it and Kaldi writes it: `utterance channel start duration label [confidence]`."""

from __future__ import annotations

from pathlib import Path

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.errors import UserError


def read(path: Path) -> dict[str, list[Segment]]:
    """The segments of every utterance.

    Args:
        path: lines of five cells or six, separated by blanks; lines that begin with `;;` are comments. Times are in
            seconds from the start of the utterance's audio.

    Raises:
        UserError: no such file, not UTF-8, or a line is no such line.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8; save it as UTF-8 text") from None
    segments: dict[str, list[Segment]] = {}
    for number, line in enumerate(content.splitlines(), 1):
        cells = line.split()
        if not cells or cells[0].startswith(";;"):
            continue
        try:
            utterance, _, start, duration, label = cells[:5]
            start_s = float(start)
            segment = Segment(label, start_s, start_s + float(duration))
        except ValueError:
            form = "utterance channel start duration label"
            raise UserError(f"{path}, line {number}: not a CTM line ({form}); mend or remove it") from None
        segments.setdefault(utterance, []).append(segment)
    return segments
