"""Speech through another channel: where it was in time, as loud as it was, and with the units that it had."""

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from s3prl_plugin.corpora import Utterance
from s3prl_plugin.pretraining.data.datarc import open_loaders
from s3prl_plugin.pretraining.data.perturbing import NOISE_DB, perturbed
from s3prl_plugin.pretraining.data.unit_files import UtteranceUnits
from s3prl_plugin.pretraining.data.utterances import Cropping, Speech

SAMPLES = 16000


def noise(seed, samples=SAMPLES):
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(8))
def test_it_is_as_loud_and_where_it_was(seed):
    x = noise(seed)
    y = perturbed(x, np.random.default_rng(seed))
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert torch.equal(y, perturbed(x, np.random.default_rng(seed)))
    assert float(y.square().mean()) == pytest.approx(float(x.square().mean()), rel=1e-4)
    lags = scipy.signal.correlate(y.numpy(), x.numpy(), "full")
    assert np.argmax(np.abs(lags)) == SAMPLES - 1  # no lag
    assert not torch.allclose(x, y, rtol=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_before_a_sound_there_is_noise_only(seed):
    x = noise(seed)
    x[: SAMPLES // 2] = 0
    y = perturbed(x, np.random.default_rng(seed))
    before, whole = (float(each.square().mean()) for each in (y[: SAMPLES // 2 - 400], y))
    assert -10 * np.log10(before / whole) > NOISE_DB[0]  # noise has more than half of its share in neither half


def test_silence_stays_silent():
    assert not perturbed(torch.zeros(1000), np.random.default_rng(0)).any()


@pytest.fixture
def utterances(tmp_path):
    made = []
    for i in range(40):
        soundfile.write(tmp_path / f"{i}.wav", noise(i).numpy(), 16000, subtype="FLOAT")
        made.append(Utterance(f"{i}", "s", tmp_path / f"{i}.wav", 1.0))
    return made


def test_a_share_is_perturbed_anew_in_every_epoch_and_its_units_stay(utterances):
    units = [UtteranceUnits.gathered([np.arange(50) + i for i in range(40)], 100, 320)]
    speech = Speech(utterances, units, Cropping(perturbed=0.5))
    changed = []
    for epoch in (0, 1):
        speech.set_epoch(epoch)
        examples = [speech[i] for i in range(40)]
        assert all(torch.equal(each.units[0], torch.arange(50) + i) for i, each in enumerate(examples))
        changed.append([not torch.equal(each.waveform, noise(i)) for i, each in enumerate(examples)])
    assert all(10 <= sum(each) <= 30 for each in changed)  # of 40; beyond this once in 500 seeds
    assert changed[0] != changed[1]


def test_validation_is_heard_as_it_is(utterances, tmp_path):
    lines = [str(tmp_path), *(f"{i}.wav\t{SAMPLES}" for i in range(40))]
    (tmp_path / "all.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "all.km").write_text((" ".join(["0"] * 50) + "\n") * 40)
    (tmp_path / "dict.km.txt").write_text("0 2000\n")
    given = {"corpus": str(tmp_path / "all.tsv"), "units": str(tmp_path / "all.km"), "perturbed": 1.0, "threads": 0}
    given |= {"valid_corpus": given["corpus"], "valid_units": given["units"]}
    training, validation = open_loaders(given, strides=[320], label_rates=[50.0])

    def heard(loader):
        return {name: wave for batch in loader for name, wave in zip(batch.names, batch.waveforms, strict=True)}

    assert all(torch.equal(wave, noise(int(name.split(".")[0]))) for name, wave in heard(validation).items())
    assert not any(torch.equal(wave, noise(int(name.split(".")[0]))) for name, wave in heard(training).items())
