"""Speech for pre-training: crops that keep waveform and units together, and what is left out."""

import numpy as np
import pytest
import soundfile
import torch

from s3prl_plugin.corpora import Utterance
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.batches import DurationBatches
from s3prl_plugin.pretraining.data.reading import ReadAhead
from s3prl_plugin.pretraining.data.unit_files import UtteranceUnits
from s3prl_plugin.pretraining.data.utterances import PADDING, WITHOUT_UNITS, Cropping, Example, Speech, collate

HOP = 320


def ramp(samples):
    """A waveform that says at every sample which frame of 320 it is in."""
    return (np.arange(samples) // HOP).astype(np.int16)


@pytest.fixture
def utterances(tmp_path):
    made = []
    for name, samples in (("a", 16000), ("b", 40 * HOP + 80), ("c", 9000), ("short", 2000)):
        soundfile.write(tmp_path / f"{name}.wav", ramp(samples), 16000, subtype="PCM_16")
        made.append(Utterance(name, "s", tmp_path / f"{name}.wav", samples / 16000))
    return made


def frame_units(utterances, stride=HOP, classes=200):
    """The number of the frame as its unit."""
    sequences = [np.arange(round(u.duration_s * 16000) // stride) for u in utterances]
    return UtteranceUnits.gathered(sequences, classes, stride)


def frame_of(example):
    return (example.waveform * 32768).round().long()


@pytest.mark.parametrize("strides", [(HOP,), (HOP, 2 * HOP)])
def test_units_are_cropped_along(utterances, strides):
    cropping = Cropping(min_samples=4000, max_samples=7001, seed=5)
    sets = [frame_units(utterances, stride) for stride in strides]
    speech = Speech(utterances, sets, cropping)
    starts = set()
    for epoch in range(6):
        speech.set_epoch(epoch)
        for i in range(len(speech)):
            example = speech[i]
            assert len(example.waveform) == 7001
            for units, stride in zip(example.units, strides, strict=True):
                at_first_sample = frame_of(example)[::stride][: len(units)] * HOP // stride
                assert torch.equal(at_first_sample, units)
                assert len(units) >= (7001 - 400) // stride + 1 or example.name == "c"
            starts.add((example.name, int(frame_of(example)[0])))
    assert len(starts) > 8  # crops differ between epochs and utterances


def test_a_crop_depends_on_seed_epoch_and_name_alone(utterances):
    def crop(order, epoch, seed=5):
        speech = Speech([utterances[i] for i in order], (), Cropping(max_samples=4000, seed=seed), step=HOP)
        speech.set_epoch(epoch)
        return {speech[i].name: speech[i].waveform for i in range(len(speech))}

    one, other = crop([0, 1, 2], 3), crop([2, 0, 1], 3)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], crop([0, 1, 2], 4)[name]) for name in one)
    assert any(not torch.equal(one[name], crop([0, 1, 2], 3, seed=6)[name]) for name in one)


def test_crops_begin_anywhere_alike_often():
    cropping = Cropping(max_samples=16000 - 9 * HOP, seed=1)
    starts = [cropping.start(f"u{i}", 16000, 0, HOP) for i in range(4000)]
    places, counts = np.unique(starts, return_counts=True)
    assert places.tolist() == [i * HOP for i in range(10)]
    assert ((counts - 400) ** 2 / 400).sum() < 27.9  # chi-squared with 9 degrees of freedom, p = 0.001


def test_without_random_crops_the_beginning_is_seen(utterances):
    speech = Speech(utterances[:1], (), Cropping(max_samples=5000, random=False))
    speech.set_epoch(3)
    assert torch.equal(frame_of(speech[0]), torch.from_numpy(ramp(5000)).long())


def test_what_is_left_out_is_counted(utterances):
    units = UtteranceUnits.gathered([np.zeros(50), None, np.zeros(28), np.zeros(6)], 1, HOP)
    speech = Speech(utterances, [units], Cropping(min_samples=4000, max_kept_samples=15000))
    assert [speech[i].name for i in range(len(speech))] == ["c"]
    assert speech.skipped[WITHOUT_UNITS] == {"b"}
    assert {reason.split(" samples")[0]: names for reason, names in speech.skipped.items() if " samples" in reason} == {
        "shorter than 4000": {"short"},
        "longer than 15000": {"a"},
    }
    with pytest.raises(UserError, match="no utterance can be trained on; skipped 4: shorter than 99999"):
        Speech(utterances, (), Cropping(min_samples=99999))


def test_a_file_that_has_become_shorter_is_named(utterances):
    soundfile.write(utterances[0].audio, ramp(12000), 16000, subtype="PCM_16")
    with pytest.raises(UserError, match=r"a\.wav: 12000 samples at 16 kHz where 16000 were announced"):
        Speech(utterances)[0]


def test_normalised_over_the_whole_utterance(utterances):
    speech = Speech(utterances[:1], (), Cropping(max_samples=8000, random=False), normalize=True)
    whole = ramp(16000) / 32768
    expected = (whole - whole.mean()) / np.sqrt(whole.var() + 1e-5)
    np.testing.assert_allclose(speech[0].waveform.numpy(), expected[:8000], atol=1e-5)


def test_a_batch_pads_waveforms_with_zeros_and_units_with_none():
    examples = [
        Example("a", torch.ones(5), (torch.tensor([1, 2, 3]), torch.tensor([7]))),
        Example("b", torch.ones(3), (torch.tensor([4]), torch.tensor([8, 9]))),
    ]
    batch = collate(examples)
    assert batch.names == ("a", "b")
    assert batch.lengths == [5, 3]
    assert batch.waveforms.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert batch.units[0].tolist() == [[1, 2, 3], [4, PADDING, PADDING]]
    assert batch.units[1].tolist() == [[7, PADDING], [8, 9]]
    assert collate([Example("a", torch.ones(2))]).units == ()


@pytest.mark.parametrize("threads", [1, 3])
def test_reading_ahead_gives_what_reading_gives(utterances, threads):
    def read(threads):
        speech = Speech(utterances, [frame_units(utterances)], Cropping(max_samples=6000))
        reader = ReadAhead(speech, DurationBatches(speech.durations_s, 0.8, seed=2), threads, ahead=2)
        reader.set_epoch(1, position=1)
        return list(reader), reader

    (plain, _), (ahead, reader) = read(0), read(threads)
    assert len(plain) == len(ahead) == len(reader) - 1
    for one, other in zip(plain, ahead, strict=True):
        assert one.names == other.names
        assert torch.equal(one.waveforms, other.waveforms)
        assert torch.equal(one.units[0], other.units[0])
    assert reader.duration_s == pytest.approx(sum(batch.duration_s for batch in plain))


def test_a_bad_file_ends_reading_ahead_with_its_name(utterances):
    utterances[1].audio.write_bytes(b"")
    speech = Speech(utterances)
    reader = ReadAhead(speech, DurationBatches(speech.durations_s, 2), threads=2)
    with pytest.raises(UserError, match=r"b\.wav"):
        list(reader)
