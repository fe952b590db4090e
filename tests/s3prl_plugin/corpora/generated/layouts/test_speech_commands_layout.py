"""Generated keywords, as s3prl's keyword spotting reads them."""

from collections import Counter

import pytest
import soundfile

from s3prl_plugin.corpora.generated.layouts import speech_commands

pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return speech_commands.generate(tmp_path_factory.mktemp("ks") / "out")


@pytest.fixture(scope="module")
def lists(root, registered):
    """Train and dev as s3prl's own code splits them."""
    from s3prl.downstream.speech_commands.expert import split_dataset

    return split_dataset(root / speech_commands.TRAIN)


def test_s3prl_splits_as_we_say(root, lists):
    train, dev = lists
    assert {speech_commands.which_set(path.name) for _, path in train} == {"train"}
    assert {speech_commands.which_set(path.name) for _, path in dev} == {"dev"}
    words = len(speech_commands.KEYWORDS) + len(speech_commands.OTHERS)
    assert len(train) == 9 * words * 2
    assert len(dev) == 3 * words * 2
    assert not {path.name.split("_")[0] for _, path in train} & {path.name.split("_")[0] for _, path in dev}


def test_every_class_is_in_every_split(root, lists):
    from s3prl.downstream.speech_commands.dataset import CLASSES, SpeechCommandsDataset, SpeechCommandsTestingDataset

    folders = {
        "speech_commands_root": root / speech_commands.TRAIN,
        "speech_commands_test_root": root / speech_commands.TEST,
    }
    for found in lists:
        counts = Counter(name for name, _ in SpeechCommandsDataset(found, **folders).data)
        assert set(counts) == set(CLASSES)
    test = Counter(name for name, _ in SpeechCommandsTestingDataset(**folders).data)
    assert test == {
        **dict.fromkeys(speech_commands.KEYWORDS, 12),
        "_unknown_": 12 * len(speech_commands.OTHERS),
        "_silence_": 12,
    }


def test_audio_is_what_the_task_needs(root):
    for file in root.rglob("*.wav"):
        found = soundfile.info(str(file))
        assert (found.samplerate, found.channels) == (16000, 1)
        if "_background_noise_" in file.parts:
            assert found.frames > 16000  # s3prl cuts a second out of it
        else:
            assert 0.15 < found.duration < 1.6, file


def test_takes_differ(root):
    takes = [soundfile.read(file, dtype="int16")[0].tobytes() for file in (root / speech_commands.TRAIN).glob("yes/*")]
    assert len(set(takes)) == len(takes) == 24
