"""Whether CTC can align utterances with their labels: it needs a frame per label, and one between equal neighbours.

Graves et al. 2006, Connectionist temporal classification, section 3: a path of T frames is mapped to labels by merging
repetitions, so that equal labels in a row need a blank between them. s3prl's `zero_infinity` passes over an utterance
that is too short for its labels, without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

from s3prl_plugin.corpora import audio
from s3prl_plugin.errors import UserError
from s3prl_plugin.superb.ctc_corpora.libriphone import transcripts

END = "</s>"  # s3prl's downstreams end every utterance with a label of its own


def frames_needed(labels: Sequence[object]) -> int:
    """The frames of the shortest path that CTC maps to these labels."""
    return len(labels) + sum(one == other for one, other in pairwise(labels))


def unaligned(settings: Mapping[str, Any], split: str, stride: float, factor: int = 1) -> tuple[int, int]:
    """How many utterances of a split have fewer frames than CTC needs for their labels, and how many there are.

    Args:
        settings: of a task that runs s3prl's `asr` or `ctc` downstream.
        split: as its settings name it.
        stride: of the features, in samples; s3prl's featurizer takes round(samples / stride) frames.
        factor: of them that the head takes for one of its output.
    """
    short = [
        frames_needed(labels) > round(samples / stride) // factor for samples, labels in _utterances(settings, split)
    ]
    return sum(short), len(short)


def subsampling(model: Mapping[str, Any], stride: float) -> int:
    """How many frames of the features the head takes for one of its output, as s3prl's heads compute it.

    Args:
        model: the settings of the head: `select`, and what stands under that name.
        stride: of the features, in samples.

    Raises:
        UserError: the head is to give more frames than it gets.
    """
    select = model["select"]
    chosen = model.get(select) or {}
    rate = chosen.get("total_rate", -1 if select == "FrameLevel" else 320)
    if rate == -1:
        first = 1
    elif rate < stride:
        raise UserError(
            f"{select}.total_rate is {rate} samples a frame, and the features have one every {stride}: a head cannot "
            "give more frames than it gets; set it to -1"
        )
    else:
        first = round(rate / stride) if select == "RNNs" else int(rate // stride)
    return first * prod(chosen.get("sample_rate", ()))


def _utterances(settings: Mapping[str, Any], split: str) -> Iterator[tuple[int, Sequence[object]]]:
    """The samples and labels of every utterance of a split; s3prl resamples none of them."""
    expert = settings["downstream_expert"]
    found = _of_letters(expert["datarc"], split) if "datarc" in expert else _of_corpus(expert, split)
    for file, labels in found:
        yield audio.info(file).frames, labels


def _of_letters(datarc: Mapping[str, Any], split: str) -> Iterator[tuple[Path, Sequence[object]]]:
    """ASR: letters, and a mark after every word."""
    for folder in datarc[split]:
        for file, words in transcripts(Path(datarc["libri_root"]) / folder):
            yield file, [*"".join(f"{word}|" for word in words).upper(), END]


def _of_corpus(expert: Mapping[str, Any], split: str) -> Iterator[tuple[Path, Sequence[object]]]:
    """PR and SF: what the readers of their corpora give."""
    from s3prl.downstream.ctc.text import load_text_encoder

    from s3prl_plugin.superb.ctc_corpora.libriphone import LibriPhoneDataset
    from s3prl_plugin.superb.ctc_corpora.snips import SnipsDataset

    readers = {"libriphone": LibriPhoneDataset, "snips": SnipsDataset}
    corpus = dict(expert["corpus"])
    reader = readers.get(corpus["name"].lower())
    if reader is None:
        raise UserError(f"downstream_expert.corpus.name: {corpus['name']!r} is not one of {', '.join(readers)}")
    tokenizer = load_text_encoder(**expert["text"])
    yield from reader(corpus[split], tokenizer, bucket_size=1, **corpus).utterances
