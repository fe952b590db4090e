"""Generated commands, as s3prl's intent classification reads them."""

import csv
from collections import Counter

import pytest

from s3prl_plugin.corpora.generated.layouts import fluent_commands

pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return fluent_commands.generate(tmp_path_factory.mktemp("ic") / "out")


@pytest.fixture(scope="module")
def tables(root):
    def rows(split):
        with (root / "data" / f"{split}_data.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    return {split: rows(split) for split in ("train", "valid", "test")}


def test_every_intent_and_phrase_is_in_every_split(tables):
    for rows in tables.values():
        said = {(tuple(row[slot] for slot in fluent_commands.SLOTS), row["transcription"]) for row in rows}
        assert said == {(intent, phrase) for intent, found in fluent_commands.COMMANDS.items() for phrase in found}


def test_no_speaker_is_in_two_splits_and_every_file_is_listed_once(root, tables):
    speakers = Counter(speaker for rows in tables.values() for speaker in {row["speakerId"] for row in rows})
    assert set(speakers.values()) == {1}
    assert len(speakers) == 12
    listed = Counter(row["path"] for rows in tables.values() for row in rows)
    files = {file.relative_to(root).as_posix() for file in (root / "wavs").rglob("*.wav")}
    assert listed == dict.fromkeys(files, 1)


def test_files_hold_what_is_listed(root, tables):
    # Longer phrases last longer: the same speaker's durations are ordered as the numbers of letters, by and large.
    import numpy as np
    import soundfile

    rows = [row for row in tables["train"] if row["speakerId"] == tables["train"][0]["speakerId"]]
    lengths = [soundfile.info(str(root / row["path"])).duration for row in rows]
    letters = [len(row["transcription"]) for row in rows]
    assert np.corrcoef(lengths, letters)[0, 1] > 0.7


def test_s3prl_reads_the_labels(root, tables, registered):
    pd = pytest.importorskip("pandas")
    from s3prl.downstream.fluent_commands.dataset import FluentCommandsDataset

    frame = pd.read_csv(root / "data" / "test_data.csv")
    labels = {slot: {row[slot]: i for i, row in enumerate(tables["train"])} for slot in fluent_commands.SLOTS}
    waveform, label, name = FluentCommandsDataset(frame, str(root), labels)[5]
    row = tables["test"][5]
    assert name == row["path"].split("/")[-1].removesuffix(".wav")
    assert list(label) == [labels[slot][row[slot]] for slot in fluent_commands.SLOTS]
    assert waveform.ndim == 1
