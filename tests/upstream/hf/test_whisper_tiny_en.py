"""A real encoder on real speech, where both are there: OpenAI's Whisper tiny.en and NLTK's TIMIT sample."""

import pytest
import soundfile
import torch

import s3prl_plugin

transformers = pytest.importorskip("transformers")
s3prl_plugin.register()


@pytest.fixture(scope="module")
def whisper(shared):
    folder = shared / "data" / "whisper_tiny_en"
    if not (folder / "config.json").is_file():
        pytest.skip(f"no Whisper at {folder}")
    return str(folder)


@pytest.fixture(scope="module")
def waves(timit_sample):
    """Four utterances of three speakers."""
    files = sorted((timit_sample / "audio").rglob("*.flac"))[::53][:4]
    return [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in files]


@pytest.fixture(scope="module")
def upstream(whisper):
    from s3prl import hub

    return hub.hf(ckpt=whisper)


def test_each_state_is_transformers_own(whisper, upstream, waves):
    model = transformers.WhisperModel.from_pretrained(whisper, dtype=torch.float32).encoder.eval()
    prepare = transformers.WhisperFeatureExtractor.from_pretrained(whisper)
    with torch.no_grad():
        found = upstream(waves[:2])["states"]
        for i, wave in enumerate(waves[:2]):
            features = prepare(wave.numpy(), sampling_rate=16000, return_tensors="pt").input_features
            said = model(features, output_hidden_states=True)
            frames = -(-len(wave) // 320)
            for name, x in zip(("layer0", "layer1", "layer2", "layer3", "out"), said.hidden_states, strict=True):
                torch.testing.assert_close(found.utterance(name, i), x[0, :frames], rtol=1e-4, atol=1e-4)


def test_an_utterance_is_the_same_alone_and_in_a_batch_of_windows(upstream, waves):
    with torch.no_grad():
        together = upstream(waves)["states"]
        alone = upstream(waves[2:3])["states"]
    for tap in together.taps:
        x, y = together.utterance(tap.name, 2), alone.utterance(tap.name, 0)
        assert float((x - y).abs().max() / y.std()) < 1e-5, tap.name


@pytest.mark.slow
def test_phones_gain_and_the_spectrum_fades_on_the_way_up(whisper, timit_sample, tmp_path):
    """What a separate measurement found for this model: phones rise up to layer3, the spectrum falls all the way."""
    import yaml

    from s3prl_plugin import results
    from s3prl_plugin.run_downstream import main as run

    small = tmp_path / "small"
    small.mkdir()
    (small / "audio").symlink_to((timit_sample / "audio").resolve())
    kept = [line.split("\t")[0] for line in (timit_sample / "utterances.tsv").read_text().splitlines()[1:]][::3]
    for table in ("utterances.tsv", "phones.tsv"):
        head, *lines = (timit_sample / table).read_text().splitlines()
        lines = [line for line in lines if line.split("\t")[0] in kept]
        (small / table).write_text("\n".join([head, *lines]) + "\n")
    cca = {"measures": ["cca_mel", "cca_phone"], "intervals": "none"}
    config = {"suite": {"corpus": f"manifest:{small}", "analyses": {"cca": cca}, "batch_size": 4}}
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(config))
    words = ["-m", "train", "-d", "suite", "-c", str(tmp_path / "suite.yaml"), "-u", f"hf:{whisper}"]
    assert run([*words, "-p", str(tmp_path / "out"), "--device", "cpu"]) == 0
    rows = {(row.measure, row.tap): row.value for row in results.read(tmp_path / "out") if row.headline}
    taps = ["layer0", "layer1", "layer2", "layer3", "out"]
    phone, mel = ([rows[measure, tap] for tap in taps] for measure in ("cca_phone", "cca_mel"))
    assert phone[0] < phone[1] < phone[2] < phone[3]
    assert phone[3] > phone[4]
    assert mel == sorted(mel, reverse=True)
