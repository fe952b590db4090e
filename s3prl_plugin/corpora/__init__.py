"""Corpora: utterances with audio, speakers, phones and words; one reader per format."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from s3prl_plugin import registry
from s3prl_plugin.corpora import subset
from s3prl_plugin.corpora.corpus import Corpus, Segment, Utterance
from s3prl_plugin.corpora.folders import APPLE_DOUBLE
from s3prl_plugin.corpora.readers import from_folder
from s3prl_plugin.corpora.readers.labels import Labels
from s3prl_plugin.corpora.subset import Subset
from s3prl_plugin.corpora.summary import report
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.plugins import offers

__all__ = ["Corpus", "Segment", "Utterance", "open_corpus", "report"]

_PATHLESS = ("generated", "varied")  # made here


def open_corpus(spec: str | Path, **options: object) -> Corpus:
    """Read a corpus.

    Args:
        spec: `generated`, or `varied` (generated speech to train on); `FORMAT:PATH` with one of the formats of
            `registry.corpora()`, such as `timit:/data/TIMIT`; or a path alone, whose format is told by what lies there.
            Options may follow: `timit:/data/TIMIT?part=test`,
            `librispeech:/data/dev-clean?alignments=/data/grids&stress=true`.
        options: the same as arguments: what that format's reader takes besides the path, and which part of the corpus
            is wanted (`utterances=40`, `hours=1`, `speakers=8`, `include=FILE`, `subset_seed=0`; see `subset.Subset`).

    Raises:
        UserError: no such format or option, or the corpus cannot be read.

    Examples:
        >>> corpus = open_corpus("manifest:my_corpus", utterances=4)
        >>> corpus.name, sorted(corpus.speakers)
        ('my_corpus[utterances=4]', ['ann', 'bob'])
    """
    spec, written = _without_options(str(spec))
    options = {**written, **options}
    name, path = _format_and_path(spec)
    reader = registry.reader(name)
    _check_options(name, reader, options)
    own = inspect.signature(reader).parameters
    part = Subset(**{key: options.pop(key) for key in subset.OPTIONS if key in options and key not in own})  # type: ignore[arg-type]
    found = part.of(reader(**options) if path is None else reader(path, **options))
    return replace(found, versions=registry.origin("corpus", name))


def check_spec(spec: str) -> None:
    """Refuse what names no corpus, without reading it.

    Args:
        spec: as `open_corpus` takes it.

    Raises:
        UserError: no such format, option or folder.
    """
    spec, options = _without_options(spec)
    name, _ = _format_and_path(spec)
    _check_options(name, registry.reader(name), options)


def _without_options(spec: str) -> tuple[str, dict[str, object]]:
    """What stands before `?option=value&option=value`, and the options: numbers and true or false as such."""
    match = re.fullmatch(r"(.*?)\?(\w+=[^&]*(?:&\w+=[^&]*)*)", spec)
    if match is None:
        return spec, {}
    options: dict[str, object] = {}
    for option in match[2].split("&"):
        name, _, value = option.partition("=")
        truth = {"true": True, "false": False}.get(value.lower())
        options[name] = truth if truth is not None else int(value) if value.isdecimal() else value
    return match[1], options


def _format_and_path(spec: str) -> tuple[str, Path | None]:
    """Which reader reads a corpus, and from where; generated speech has no path."""
    name, colon, path = spec.partition(":")
    formats = registry.corpora()
    if name in formats:
        if name in _PATHLESS:
            if colon:
                raise UserError(f"corpus {spec!r}: generated speech takes no path; write `{name}`")
            return name, None
        if not path:
            raise UserError(f"corpus {spec!r}: no path; write {name}:PATH")
        return name, Path(path).expanduser()
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return _told_format(folder), folder
    if reason := offers.wrong("corpus", name):
        raise UserError(reason)
    if any(mark in spec for mark in "/\\.") and not colon:
        raise UserError(f"corpus {spec!r}: no such folder; check the path")
    raise UserError(f"corpus {spec!r}: {name!r} is not a corpus format; {did_you_mean(name, formats)}")


def _told_format(folder: Path) -> str:
    """The format of what lies in a folder."""
    if (folder / "utterances.tsv").is_file():
        return "manifest"
    marks = {".phn": "timit", ".trans.txt": "librispeech"}
    for depth in range(5):
        for file in folder.glob("*/" * depth + "*.*"):
            for mark, name in marks.items():
                if file.name.lower().endswith(mark) and not file.name.startswith(APPLE_DOUBLE):
                    return name
    lacks = from_folder.missing(folder)
    if lacks is not None:
        raise UserError(lacks)
    formats = ", ".join(name for name in registry.corpora() if name not in _PATHLESS)
    raise UserError(f"{folder}: no corpus of a known format ({formats}) there; name the format, as in timit:{folder}")


def _check_options(name: str, reader: Callable[..., Corpus], options: dict[str, object]) -> None:
    """Refuse an option that the reader does not take."""
    takes = inspect.signature(reader).parameters
    known = [name for name, option in takes.items() if name != "path" and option.kind != option.VAR_KEYWORD]
    if len(known) < len(takes) - 1:
        known += [option.name for option in fields(Labels) if option.init]
    known += subset.OPTIONS
    for option in options:
        if option not in known:
            raise UserError(f"corpus format {name!r} has no option {option!r}: {did_you_mean(option, known)}")
