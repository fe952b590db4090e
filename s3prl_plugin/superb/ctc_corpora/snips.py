"""SF's corpus: Audio SNIPS, with the slots of every word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3prl_plugin.corpora import folders
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.superb.ctc_corpora.buckets import Buckets

TRANSCRIPTS = "all.iob.snips.txt"


class SnipsDataset(Buckets):
    """Utterances of some splits by certain speakers, as labels of characters and slot marks.

    Args:
        split: names of folders below `path`: ["train"], ["valid"] or ["test"].
        tokenizer: s3prl's character-slot encoder.
        bucket_size: utterances in an item.
        path: the folder of SNIPS; its all.iob.snips.txt has a line per utterance, `speaker-snips-split-number BOS word
            ... EOS`, a tab, and the slots `O slot ... intent`.
        options: what else stands under `corpus` in the configuration: `train_speakers`, `valid_speakers`,
            `test_speakers`.

    Raises:
        UserError: a file, a folder or the speakers of a split are missing.
    """

    def __init__(self, split: Sequence[str], tokenizer: Any, bucket_size: int, path: str, **options: Any):
        said = _transcripts(Path(path) / TRANSCRIPTS)
        utterances = []
        for name in split:
            key = f"{name}_speakers"
            if key not in options:
                raise UserError(f"SF: downstream_expert.corpus.{key} is missing: {did_you_mean(key, options)}")
            found = _of_speakers(Path(path) / name, options[key])
            utterances += [(file, tokenizer.encode(said[file.stem])) for file in found if file.stem in said]
            if not utterances:
                raise UserError(f"{Path(path) / name}: no transcribed utterance of {', '.join(options[key])} there")
        super().__init__(utterances, bucket_size, bool(options.get("ascending", False)))


def _transcripts(file: Path) -> dict[str, str]:
    """Utterance -> its words and slots."""
    if not file.is_file():
        raise UserError(f"{file}: no such file; give the folder of Audio SNIPS as s3prl prepares it")
    lines = (line.partition(" ") for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name: said for name, _, said in lines}


def _of_speakers(folder: Path, speakers: Sequence[str]) -> list[Path]:
    """The audio files in a folder whose names begin with one of the speakers."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; the folder of Audio SNIPS holds train, valid and test")
    return [file for file in folders.find(folder, ".wav") if file.stem.startswith(tuple(speakers))]
