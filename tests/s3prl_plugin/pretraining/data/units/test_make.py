"""Units from speech to label files: what is written, when it is made anew, and which frames they are of."""

import numpy as np
import pytest
import soundfile
import torch
import yaml

from s3prl_plugin.config import given, schema
from s3prl_plugin.corpora import Segment, Utterance
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.sources import open_speech
from s3prl_plugin.pretraining.data.units import make as making
from s3prl_plugin.pretraining.data.units.make import make
from s3prl_plugin.pretraining.data.units.mfcc import mfcc
from s3prl_plugin.pretraining.data.units.request import Request, from_argument

TONES = {"low": 200, "middle": 900, "high": 3000}


@pytest.fixture(scope="module")
def utterances(tmp_path_factory):
    """Tones of three kinds as phones, each 0.2 s long."""
    folder = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    made = []
    for i in range(6):
        said = rng.choice(list(TONES), 5 + i)
        t = np.arange(3200) / 16000
        wave = np.concatenate([0.3 * np.sin(2 * np.pi * TONES[tone] * t) for tone in said])
        soundfile.write(folder / f"{i}.wav", wave + 0.001 * rng.standard_normal(len(wave)), 16000)
        phones = tuple(Segment(str(tone), 0.2 * k, 0.2 * (k + 1)) for k, tone in enumerate(said))
        made.append(Utterance(f"u{i}", "s", folder / f"{i}.wav", len(wave) / 16000, phones))
    return made


@pytest.fixture
def splits(utterances):
    return {"train": utterances[:4], "valid": utterances[4:]}


def quiet(_):
    pass


def test_the_files_are_fairseqs(splits, tmp_path):
    made = make(Request(clusters=6), splits, tmp_path / "units", say=quiet, progress=False)
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "clusters.npz", "dict.km.txt", "train.km", "train.tsv", "units.yaml", "valid.km", "valid.tsv",
    ]  # fmt: skip
    root, *rows = made.list_of().read_text().splitlines()
    assert root == str(splits["train"][0].audio.parent.resolve())
    assert rows == [f"{u.audio.name}\t{round(u.duration_s * 16000)}" for u in splits["train"]]
    units = [[int(k) for k in line.split(" ")] for line in made.units_of().read_text().splitlines()]
    assert [len(line) for line in units] == [(round(u.duration_s * 16000) - 400) // 320 + 1 for u in splits["train"]]
    counts = np.bincount(np.concatenate(units), minlength=6)
    assert (made.folder / "dict.km.txt").read_text() == "".join(f"{k} {count}\n" for k, count in enumerate(counts))
    assert made.label_rate == 50


def test_they_are_read_for_training(splits, tmp_path):
    made = make(Request(clusters=6), splits, tmp_path / "units", say=quiet, progress=False)
    speech = open_speech(made.list_of("valid"), [made.units_of("valid")])
    stored = np.load(made.folder / "clusters.npz", allow_pickle=False)
    for i in range(len(speech)):
        frames = mfcc(speech[i].waveform)[::2].numpy()
        distance = ((((frames - stored["mean"]) * stored["scale"])[:, None] - stored["centres"]) ** 2).sum(2)
        assert np.mean(speech[i].units[0].numpy() == distance.argmin(1)) == 1


def test_units_of_tones_are_the_tones_and_the_file_says_how_well(splits, tmp_path):
    said = []
    made = make(Request(clusters=12), splits, tmp_path / "units", say=said.append, progress=False)
    quality = yaml.safe_load((made.folder / "units.yaml").read_text())["quality"]["train"]
    assert quality["phones"]["phone_purity"] > 0.9
    assert quality["speech"]["n"] == quality["phones"]["n"]
    assert said == list(made.lines)
    assert "phone purity" in said[1]


def test_the_same_request_is_not_made_again_and_another_is_refused(splits, tmp_path, monkeypatch):
    folder = tmp_path / "units"
    make(Request(clusters=6), splits, folder, say=quiet, progress=False)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(making, "_make", lambda *_: pytest.fail("made again"))
        make(Request(clusters=6), splits, folder, say=quiet, progress=False)
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    for request, speech in ((Request(clusters=7), splits), (Request(clusters=6), {"train": splits["train"]})):
        with pytest.raises(UserError, match="holds the units of another request"):
            make(request, speech, folder, say=quiet, progress=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UserError, match="not empty, and no units"):
        make(Request(clusters=6), splits, tmp_path / "other", say=quiet, progress=False)


def test_nothing_is_left_of_units_that_failed(splits, tmp_path):
    with pytest.raises(UserError, match=r"units: \d+ training frames for 5000 clusters"):
        make(Request(clusters=5000), splits, tmp_path / "units", say=quiet, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sampled", [60, 10_000])
def test_the_sample_is_bounded(splits, tmp_path, monkeypatch, sampled):
    sizes = []

    def counted(frames, *args):
        sizes.append(len(frames))
        return learn(frames, *args)

    learn = making.learn
    monkeypatch.setattr(making, "learn", counted)
    make(Request(clusters=6, sampled_frames=sampled), splits, tmp_path / "units", say=quiet, progress=False)
    frames = [(round(u.duration_s * 16000) - 400) // 320 + 1 for u in splits["train"]]
    assert sizes[0] == sum(frames) if sampled > sum(frames) else sampled <= sizes[0] < sampled + max(frames)


@pytest.mark.parametrize(("tap", "rate"), [("enc0.layer1", 50), ("mid.layer0", 25)])
def test_units_of_a_tap_are_those_of_the_models_own_frames(splits, tmp_path, small_checkpoint, tap, rate):
    from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_local

    request = from_argument(f"{tap}:5", str(small_checkpoint), batch_seconds=3.0)
    made = make(request, splits, tmp_path / "units", say=quiet, progress=False)
    assert made.label_rate == rate
    model = mr_hubert_local(small_checkpoint).eval()
    stored = np.load(made.folder / "clusters.npz", allow_pickle=False)
    speech = open_speech(made.list_of(), [made.units_of()], label_rates=(rate,), strides=(16000 // rate,))
    for i in range(len(speech)):
        example = speech[i]
        with torch.no_grad():
            frames = model([example.waveform])[tap][0].numpy()
        distance = ((((frames - stored["mean"]) * stored["scale"])[:, None] - stored["centres"]) ** 2).sum(2)
        assert np.mean(example.units[0].numpy() == distance.argmin(1)) > 0.98  # near-ties may flip


def test_another_checkpoint_is_another_request(small_checkpoint, tmp_path):
    copy = tmp_path / "copy.pt"
    copy.write_bytes(small_checkpoint.read_bytes())
    same, moved = (from_argument("mid.pre:5", str(path)).identity() for path in (small_checkpoint, copy))
    assert same == moved  # its content counts, not its place
    copy.write_bytes(copy.read_bytes() + b" ")
    assert from_argument("mid.pre:5", str(copy)).identity() != same


def test_wrong_requests_are_refused(small_checkpoint, splits, tmp_path):
    cases = {
        "--units mfcc: give the frames": lambda: from_argument("mfcc"),
        "'mid.layer1' is a tap of which model": lambda: from_argument("mid.layer1:50"),
        "mfcc frames need no model": lambda: from_argument("mfcc:50", str(small_checkpoint)),
        "unknown key 'cluster' in units: did you mean 'clusters'": lambda: schema.read(
            given({"units": {"cluster": 3}}), ("units",), Request
        ),
        "clusters: 1 is not possible; give a whole number from 2 on": lambda: Request(clusters=1),
        "no tap 'mid.layr0': did you mean 'mid.layer0'": lambda: make(
            from_argument("mid.layr0:5", str(small_checkpoint)), splits, tmp_path / "units", say=quiet, progress=False
        ),
    }
    for message, attempt in cases.items():
        with pytest.raises(UserError, match=message):
            attempt()
