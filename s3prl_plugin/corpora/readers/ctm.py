"""CTM, as NIST defined it and Kaldi writes it: `utterance channel start duration label [confidence]`."""

from __future__ import annotations

from pathlib import Path

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.errors import UserError

_FORM = "utterance channel start duration label"
_ALTERNATIVES = ("<ALT_BEGIN>", "<ALT>", "<ALT_END>")


def read(path: Path, channel: int | None = None) -> tuple[dict[str, list[Segment]], list[str]]:
    """The segments of every utterance.

    Args:
        path: lines of five cells or six, separated by blanks; lines that begin with `;;` are comments. Times are in
            seconds from the start of the utterance's audio.
        channel: whose rows count, from 0: A and 1 are the first channel, unless the file has a channel 0.

    Returns:
        Utterance -> segments, in the file's order; and what a user should know.

    Raises:
        UserError: no such file, not UTF-8, or a line is no such line; no channel is named and an utterance has two, or
            one is named that the file does not have.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8; save it as UTF-8 text") from None
    rows: dict[str, list[tuple[str, Segment]]] = {}
    for number, line in enumerate(content.splitlines(), 1):
        cells = line.split()
        if cells and not cells[0].startswith(";;"):
            rows.setdefault(cells[0], []).append(_row(cells, f"{path}, line {number}"))
    named = {name for segments in rows.values() for name, _ in segments}
    if channel is None:
        _check_one_channel(path, rows)
        wanted = named
    else:
        wanted = _named_as(path, named, channel)
    found = {utterance: [s for name, s in segments if name in wanted] for utterance, segments in rows.items()}
    labels = {segment.label for segments in found.values() for segment in segments}
    notes = []
    if labels and all(label.isdecimal() for label in labels):
        notes = [
            f"{path.name}: every label is a number, as Kaldi writes phones and words; give them names with its "
            "int2sym.pl and the phones.txt or words.txt of the model: as numbers, silence counts as speech"
        ]
    return found, notes


def _row(cells: list[str], where: str) -> tuple[str, Segment]:
    """Channel and segment of a line."""
    if any(mark in cells[4:5] for mark in _ALTERNATIVES):
        raise UserError(
            f"{where}: {cells[4]} stands around alternatives, of which a reference may have any (NIST); "
            "keep one of them and remove the others, with these marks"
        )
    if "*" in cells[2:4]:
        raise UserError(
            f"{where}: * is no time, but says that it is not known (NIST); give the time, or remove the line"
        )
    try:
        _, channel, start, duration, label = cells[:5]
        start_s = float(start)
        return channel, Segment(label, start_s, start_s + float(duration))
    except ValueError:
        raise UserError(f"{where}: not a CTM line ({_FORM}); mend or remove it") from None


def _check_one_channel(path: Path, rows: dict[str, list[tuple[str, Segment]]]) -> None:
    """Refuse an utterance with rows of several channels."""
    for utterance, segments in rows.items():
        channels = sorted({name for name, _ in segments})
        if len(channels) > 1:
            raise UserError(
                f"{path}: {utterance!r} has rows of channels {' and '.join(channels)}; name the one that is meant: "
                "channel=0 is the first"
            )


def _named_as(path: Path, named: set[str], channel: int) -> set[str]:
    """What a channel is called in a file."""
    first = 0 if "0" in named else 1
    wanted = {str(channel + first), chr(ord("A") + channel), chr(ord("a") + channel)} & named
    if named and not wanted:
        raise UserError(
            f"{path}: no rows of channel={channel}, which would be {chr(ord('A') + channel)} or {channel + first}; "
            f"it has {', '.join(sorted(named))}"
        )
    return wanted
