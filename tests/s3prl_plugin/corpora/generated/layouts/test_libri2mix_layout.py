"""Mixtures for diarization: the labels that s3prl makes of them against the audio itself."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora.generated.layouts import libri2mix
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError


@pytest.fixture
def root(talk, tmp_path):
    return libri2mix.write(talk(), tmp_path / "out")


def table(root, split, name):
    return [line.split() for line in (root / split / name).read_text().splitlines()]


def test_no_speaker_is_in_two_splits_and_every_mixture_has_two(root):
    speakers = {}
    for split in libri2mix.MIXTURES:
        of_mixture = {}
        for _, mixture, _, _, _, _, _, speaker, _, _ in table(root, split, "rttm"):
            of_mixture.setdefault(mixture, set()).add(speaker)
        assert len(of_mixture) == libri2mix.MIXTURES[split]
        assert all(len(found) == 2 for found in of_mixture.values())
        speakers[split] = set.union(*of_mixture.values())
    assert all(not speakers[a] & speakers[b] for a, b in combinations(speakers, 2))


def test_sound_is_where_the_segments_say(root):
    # Utterances are silent but for their words: the mixture sounds exactly where somebody is said to speak.
    for name, path in table(root, "test", "wav.scp"):
        samples, _ = soundfile.read(path, dtype="int16")
        said = np.zeros(len(samples), bool)
        for _, mixture, start, end in table(root, "test", "segments"):
            if mixture == name:
                said[round(float(start) * 16000) : round(float(end) * 16000)] = True
        sounds = samples != 0
        assert (sounds & ~said).sum() <= 8  # times are written with four digits
        assert (said & ~sounds).mean() < 0.01  # two speakers can cancel
        assert said.any()


def test_turns_overlap(root):
    overlapping = 0
    for name, _ in table(root, "train", "wav.scp"):
        spans = [(float(a), float(b)) for _, mixture, a, b in table(root, "train", "segments") if mixture == name]
        overlapping += any(b > c for (_, b), (c, _) in pairwise(spans))
    assert overlapping > 10


def test_s3prls_labels_are_our_turns(root, registered):
    pytest.importorskip("pandas")
    from s3prl.downstream.diarization.dataset import DiarizationDataset

    dataset = DiarizationDataset("dev", str(root / "dev"), chunk_size=2000, frame_shift=160, num_speakers=2)
    assert len(dataset) == libri2mix.MIXTURES["dev"]
    for i in range(3):
        waveform, labels = dataset[i]
        name = dataset.chunk_indices[i][0]
        turns = [(row[7], float(row[3]), float(row[4])) for row in table(root, "dev", "rttm") if row[1] == name]
        wanted = np.zeros_like(labels)
        for speaker, start, length in turns:
            column = sorted({who for who, _, _ in turns}).index(speaker)
            wanted[round(start * 100) : round((start + length) * 100), column] = 1
        assert (labels != wanted).mean() < 0.01
        assert abs(len(waveform) / 160 - len(labels)) <= 1


def test_tables_agree(root):
    for split in libri2mix.MIXTURES:
        who = dict(table(root, split, "utt2spk"))
        assert {name for _, *names in table(root, split, "spk2utt") for name in names} == set(who)
        for speaker, *names in table(root, split, "spk2utt"):
            assert {who[name] for name in names} == {speaker}
        for name, path in table(root, split, "wav.scp"):
            seconds = dict(table(root, split, "reco2dur"))[name]
            assert float(seconds) == pytest.approx(soundfile.info(path).duration, abs=1e-4)


def test_bad_audio_and_too_few_speakers(talk, tmp_path):
    corpus = talk()
    corpus.utterances[0].audio.write_bytes(b"")
    skips = Skips()
    libri2mix.write(corpus, tmp_path / "out", skips)
    assert skips == {"audio not readable": {"spk00_0"}}
    with pytest.raises(UserError, match="5 speakers; diarization needs 6"):
        libri2mix.write(talk(5), tmp_path / "few")
