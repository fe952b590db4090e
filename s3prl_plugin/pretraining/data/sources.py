"""Where speech for pre-training comes from: any corpus of this project, or a list of files as fairseq has it.

A list is `train.tsv`: the folder on its first line, then per audio file its path in that folder, a tab and its length
in samples. Its units are `train.km`, line by line. A corpus takes units from such a pair, file by file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from s3prl_plugin.corpora import Utterance, open_corpus
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data import unit_files
from s3prl_plugin.pretraining.data.unit_files import UtteranceUnits
from s3prl_plugin.pretraining.data.utterances import Cropping, Speech
from s3prl_plugin.results import replace_file
from s3prl_plugin.states.taps import SAMPLE_RATE

LIST = ".tsv"
Number = TypeVar("Number", int, float)


def open_speech(
    source: str | Path,
    units: Sequence[str | Path] = (),
    *,
    strides: Sequence[int] = (320,),
    label_rates: Sequence[float] = (50.0,),
    cropping: Cropping | None = None,
    normalize: bool = False,
    step: int = 1,
) -> Speech:
    """Speech to train on.

    Args:
        source: a corpus, as `corpora.open_corpus` takes it (its phones are not needed), or a list of files (`.tsv`).
        units: files of units: one, or one for every frame rate of the network.
        strides: per file of units, the samples of the frames that they are wanted for; the first one for all where
            there is but one.
        label_rates: per file of units, units per second; likewise.
        cropping, normalize, step: see `data.Speech`.

    Raises:
        UserError: the source or a file of units cannot be used, or they do not belong together.
    """
    utterances = utterances_of(source)
    sets = [
        read_units(source, utterances, Path(path), rate).at_stride(stride)
        for path, rate, stride in zip(units, _each(label_rates, units), _each(strides, units), strict=True)
    ]
    return Speech(utterances, sets, cropping, normalize, step)


def utterances_of(source: str | Path) -> tuple[Utterance, ...]:
    """The utterances of a corpus or a list of files.

    Raises:
        UserError: it cannot be read.
    """
    if _is_list(source):
        return read_list(Path(source).expanduser())
    return open_corpus(source).utterances


def read_units(source: str | Path, utterances: Sequence[Utterance], path: Path, label_rate: float) -> UtteranceUnits:
    """The units of a source's utterances.

    Args:
        source: which; a list's units are in its own order, a corpus's in that of the list beside the units.
        utterances: of the source.
        path: the file of units.
        label_rate: units per second.

    Raises:
        UserError: they cannot be read, or belong to other audio.
    """
    stride = SAMPLE_RATE / label_rate if label_rate > 0 else 0
    if not stride or stride != int(stride):
        raise UserError(
            f"label_rate {label_rate:g}: {SAMPLE_RATE} samples a second divided by it must be whole; try 50"
        )
    if _is_list(source):
        samples = [round(u.duration_s * SAMPLE_RATE) for u in utterances]
        return unit_files.read(path, samples, int(stride))
    beside = path.with_suffix(LIST)
    if not beside.is_file():
        raise UserError(f"{path}: {beside.name} is not beside it, so nobody knows which utterance a line belongs to")
    listed = read_list(beside)
    line = {_resolved(u.audio): i for i, u in enumerate(listed)}
    rows = [line.get(_resolved(u.audio), -1) for u in utterances]
    if max(rows, default=-1) < 0:
        raise UserError(f"{beside}: none of the files of {source} is in it; write the units for this corpus")
    used = [row for row in rows if row >= 0]
    if len(set(used)) < len(used):
        raise UserError(f"{source}: several utterances share an audio file, whose units cannot be told apart")
    return unit_files.read(path, [round(u.duration_s * SAMPLE_RATE) for u in listed], int(stride), rows)


def read_list(path: Path) -> tuple[Utterance, ...]:
    """The utterances of a list of files; no audio is opened.

    Returns:
        Utterances named by their path in the list's folder; the speaker is the folder that the file is in.

    Raises:
        UserError: there is no such file, or a line is not a path and a length.
    """
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); give a list of audio files") from None
    root = Path(first.strip()).expanduser()
    if not first.strip() or "\t" in first:
        raise UserError(f"{path}, line 1: give the folder that holds the audio files")
    root = root if root.is_absolute() else path.parent / root
    utterances = []
    for number, line in enumerate(lines, 2):
        name, tab, samples = line.rstrip().partition("\t")
        if not (name and tab and samples.isdecimal()):
            raise UserError(f"{path}, line {number}: {line!r}: give a path, a tab and a number of samples")
        audio = root / name
        utterances.append(Utterance(name, audio.parent.name, audio, int(samples) / SAMPLE_RATE))
    return tuple(utterances)


def write_list(path: Path, utterances: Sequence[Utterance]) -> None:
    """Write a list of files that `read_list` and fairseq read, whole or not at all.

    Raises:
        UserError: an utterance is one channel or a stretch of a file, which a list cannot say.
    """
    for utterance in utterances:
        if utterance.channel is not None:
            raise UserError(f"{utterance.name}: a list of files names no channel; make mono files first")
        if utterance.start_s is not None:
            raise UserError(f"{utterance.name}: a list of files names no stretch of a file; make a file of each first")
    files = [_resolved(u.audio) for u in utterances]
    root = os.path.commonpath([os.path.dirname(file) for file in files]) if files else "."
    rows = [
        f"{os.path.relpath(file, root)}\t{round(u.duration_s * SAMPLE_RATE)}"
        for file, u in zip(files, utterances, strict=True)
    ]
    replace_file(path, ("\n".join([root, *rows]) + "\n").encode())


def _is_list(source: str | Path) -> bool:
    """Whether a source is a list of files, and no corpus."""
    return str(source).endswith(LIST)


def _resolved(path: Path) -> str:
    """A file's place, however it was named."""
    return os.path.realpath(path)


def _each(given: Sequence[Number], units: Sequence[object]) -> Sequence[Number]:
    """One value per set of units; a single one is meant for all.

    Raises:
        UserError: there are neither one nor as many.
    """
    if len(given) not in (1, len(units)) and units:
        raise UserError(f"{len(given)} label rates or strides for {len(units)} files of units; give one for each")
    return given if len(given) == len(units) else list(given[:1]) * len(units)
