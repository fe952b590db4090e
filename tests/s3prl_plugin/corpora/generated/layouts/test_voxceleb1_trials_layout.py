"""Trials of speaker verification, as s3prl reads them."""

from collections import Counter

import pytest

from s3prl_plugin.corpora.generated.layouts import voxceleb1_trials
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError


def trials(root):
    return [line.split() for line in (root / "voxceleb1_test_v2.txt").read_text().splitlines()]


def test_trials_are_of_speakers_that_are_not_trained_on(talk, tmp_path):
    root = voxceleb1_trials.write(talk(), tmp_path / "out")
    dev, test = ({folder.name for folder in (root / split / "wav").iterdir()} for split in ("dev", "test"))
    assert len(dev) == 4
    assert len(test) == 2
    assert not dev & test
    found = {path.split("/")[0] for _, *paths in trials(root) for path in paths}
    assert found == test


def test_labels_say_whether_it_is_one_speaker(talk, tmp_path):
    root = voxceleb1_trials.write(talk(), tmp_path / "out")
    counts = Counter()
    for label, one, other in trials(root):
        assert one != other
        assert label == str(int(one.split("/")[0] == other.split("/")[0]))
        assert all((root / "test" / "wav" / path).is_file() for path in (one, other))
        counts[label] += 1
    # two speakers with six utterances: 2 * 15 pairs by one speaker, and as many of the 36 by two
    assert counts == {"1": 30, "0": 30}
    assert len({tuple(trial) for trial in trials(root)}) == 60


def test_s3prl_reads_them(talk, tmp_path, registered):
    from s3prl.downstream.sv_voxceleb1.dataset import SpeakerVerifi_test

    root = voxceleb1_trials.write(talk(), tmp_path / "out")
    dataset = SpeakerVerifi_test({}, root / "test" / "wav", root / "voxceleb1_test_v2.txt")
    assert len(dataset) == 12
    assert len(dataset.pair_table) == 60


def test_bad_audio_and_too_few_speakers(talk, tmp_path):
    corpus = talk()
    bad = next(u for u in corpus.utterances if u.speaker == "spk02")
    bad.audio.write_bytes(b"")
    skips = Skips()
    root = voxceleb1_trials.write(corpus, tmp_path / "out", skips)
    assert skips == {"audio not readable": {bad.name}}
    assert not any(bad.name in path for _, *paths in trials(root) for path in paths)
    with pytest.raises(UserError, match="5 speakers; speaker verification needs 6"):
        voxceleb1_trials.write(talk(5), tmp_path / "few")
    with pytest.raises(UserError, match="two readable utterances"):
        voxceleb1_trials.write(talk(6, 1), tmp_path / "single")
