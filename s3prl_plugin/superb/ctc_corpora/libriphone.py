"""PR's corpus: LibriSpeech, with phones from a lexicon or from alignments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from s3prl_plugin.corpora import folders
from s3prl_plugin.errors import UserError
from s3prl_plugin.superb.ctc_corpora.buckets import Buckets

Phones = list[str]


class LibriPhoneDataset(Buckets):
    """Utterances of some splits with their phones, as labels of a vocabulary.

    Args:
        split: names of folders below `path`, such as ["train-clean-100"].
        tokenizer: s3prl's word encoder, with the phones as its words. Where it has no phones with stress (AA1), the
            stress is left out.
        bucket_size: utterances in an item.
        path: the folder of LibriSpeech.
        lexicon: files of lines `WORD PHONE PHONE ...`; the first pronunciation that is found counts.
        phones: a file of lines `utterance PHONE PHONE ...`, taken from alignments, in place of a lexicon.
        options: what else stands under `corpus` in the configuration.

    Raises:
        UserError: a file or split is missing, or a word, utterance or phone is not known.
    """

    def __init__(
        self,
        split: Sequence[str],
        tokenizer: Any,
        bucket_size: int,
        path: str,
        lexicon: Sequence[str] | str | None = None,
        phones: str | None = None,
        **options: Any,
    ):
        if (lexicon is None) == (phones is None):
            raise UserError(
                "PR: name the lexicon's files (downstream_expert.corpus.lexicon: librispeech-lexicon-200k-g2p.txt and "
                "...-allothers-g2p.txt) or one of phones per utterance (downstream_expert.corpus.phones), not both"
            )
        files = [lexicon] if isinstance(lexicon, str) else list(lexicon or ())
        known = read_phones([Path(phones)] if phones else [Path(file) for file in files])
        said = _phones_of_utterances(known) if phones else _phones_of_words(known, files)
        utterances = []
        for name in split:
            for audio, words in transcripts(Path(path) / name):
                utterances.append((audio, _labels(said(audio, words), tokenizer)))
        super().__init__(utterances, bucket_size, bool(options.get("ascending", False)))


def transcripts(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every audio file of a split of LibriSpeech, with its words.

    Raises:
        UserError: no such folder, no audio, or an utterance without a transcript.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; the folder of LibriSpeech holds one per split")
    files = folders.find(folder, ".flac")
    if not files:
        raise UserError(f"{folder}: no FLAC files there; give the folder of LibriSpeech")
    words: dict[str, list[str]] = {}
    for file in folders.find(folder, ".trans.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, *said = line.split()
            words[name] = said
    for file in files:
        if file.stem not in words:
            raise UserError(f"{file}: no *.trans.txt beside it has its transcript; complete the corpus")
        yield file, words[file.stem]


def read_phones(files: Iterable[Path]) -> dict[str, Phones]:
    """Lines of a name and its phones; of a name that comes again, the first line counts.

    Raises:
        UserError: no such file, or a line without phones.
    """
    known: dict[str, Phones] = {}
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: no such file; name the lexicon (or the phones) for PR")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            name, *phones = line.split() or [""]
            if name and not phones:
                raise UserError(f"{file}, line {number}: {name} has no phones; write `{name} PHONE PHONE ...`")
            if name:
                known.setdefault(name, phones)
    return known


def _phones_of_utterances(known: Mapping[str, Phones]) -> Any:
    """From an audio file to the phones of its utterance."""

    def said(audio: Path, words: list[str]) -> Phones:
        if audio.stem not in known:
            raise UserError(f"{audio}: the file of phones has no line for {audio.stem}; add it")
        return known[audio.stem]

    return said


def _phones_of_words(known: Mapping[str, Phones], files: Sequence[str]) -> Any:
    """From the words of an audio file to their phones."""

    def said(audio: Path, words: list[str]) -> Phones:
        for word in words:
            if word not in known:
                raise UserError(f"{audio}: no phones for {word!r} in {', '.join(files)}; add it, or another lexicon")
        return [phone for word in words for phone in known[word]]

    return said


def _labels(phones: Phones, tokenizer: Any) -> list[int]:
    """Phones as labels, without stress where the vocabulary has none."""
    fitting = [phone if _knows(tokenizer, phone) else phone.rstrip("012") for phone in phones]
    for phone in fitting:
        if _knows(tokenizer, f"{phone}0"):
            raise UserError(
                f"PR: {phone} bears no stress, and the vocabulary has {phone}0, {phone}1 and {phone}2, as SUPERB's "
                "phones do; name a lexicon with stress, or run PR39, the task without"
            )
        if not _knows(tokenizer, phone):
            raise UserError(f"PR: the vocabulary has no phone {phone!r}; add it to downstream_expert.text.vocab_file")
    return tokenizer.encode(" ".join(fitting))


def _knows(tokenizer: Any, phone: str) -> bool:
    """Whether a vocabulary has a phone."""
    return tokenizer.vocab_to_idx(phone) != tokenizer.unk_idx
