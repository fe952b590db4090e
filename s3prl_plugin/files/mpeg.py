"""What the first bytes of an MPEG audio file (MP3) tell."""

from __future__ import annotations

from typing import BinaryIO

LATE = "are MP3 without a LAME header: their sound comes late, by 1105 samples with most encoders"

_HEAD = 1024
_TAG_HEADER = 10  # bytes of an ID3v2 tag's header


def read_head(file: BinaryIO) -> bytes:
    """The first bytes of a file, those of an ID3 tag in front left out."""
    here = file.tell()
    head = file.read(_HEAD)
    while head.startswith(b"ID3") and len(head) > _TAG_HEADER:
        here += _tag_bytes(head)
        file.seek(here)
        head = file.read(_HEAD)
    return head


def is_mpeg(head: bytes) -> bool:
    """Whether bytes begin with the header of an MPEG audio frame, of a layer, bit rate and sample rate that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer != 0 and head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3


def without_tag(content: bytes) -> bytes:
    """A file without the ID3 tags in front; a decoder may take a second one for sound."""
    start = 0
    while content[start : start + 3] == b"ID3":
        start += _tag_bytes(content[start : start + _TAG_HEADER])
    return content[start:]


def states_delay(content: bytes) -> bool:
    """Whether the first frame has a LAME header, which says how many samples the encoder put in front.

    Args:
        content: of the file, without a tag in front.

    Reference:
        The layout of Xing and LAME headers: http://gabriel.mp3-tech.org/mp3infotag.html
    """
    head = content[:_HEAD]
    places = [at for at in (head.find(b"Xing"), head.find(b"Info")) if 0 <= at < 48]  # after a frame's side information
    if not places:
        return False
    flags = int.from_bytes(head[places[0] + 4 : places[0] + 8], "big")
    fields = sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit)
    encoder = head[places[0] + 8 + fields :][:4]
    return len(encoder) == 4 and encoder[0] != 0


def _tag_bytes(header: bytes) -> int:
    """The bytes of an ID3v2 tag: four times seven bits, and its header, and its footer where it has one."""
    if len(header) < _TAG_HEADER:
        return len(header) or 1
    size = sum((byte & 0x7F) << shift for byte, shift in zip(header[6:10], (21, 14, 7, 0), strict=True))
    return _TAG_HEADER + size + (_TAG_HEADER if header[5] & 0x10 else 0)
