"""Frame rates: who follows them, who is refused, and that the frames counted are those that s3prl's heads see."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import entry_point
import numpy as np
import pytest
import soundfile
import torch
import yaml

from s3prl_plugin import superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.superb import ctc_lengths, rates
from s3prl_plugin.superb.tasks import put

FRAME_40, FRAME_80 = 640, 1280


def task(name):
    """A task, its settings with `changes` put in, by dotted key."""
    return superb.task(name)


def settings(name, root, **changes):
    found = task(name).settings({}, superb.TaskCorpus(Path(root), "c", "real", Path(root)))
    for dotted, value in changes.items():
        put(found, f"downstream_expert.{dotted.replace('__', '.')}", value)
    return found


def sound(path, samples, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(scale=0.1, size=samples)
    soundfile.write(path, noise, rate)


def librispeech(root, utterances):
    """A LibriSpeech of utterances (samples, words), the same ones in every part."""
    for part in ("train-clean-100", "dev-clean", "test-clean"):
        folder = root / part / "1" / "2"
        for i, (samples, _) in enumerate(utterances):
            sound(folder / f"1-2-{i:04}.flac", samples)
        lines = [f"1-2-{i:04} {words}\n" for i, (_, words) in enumerate(utterances)]
        (folder / "1-2.trans.txt").write_text("".join(lines))
    return root


def test_every_task_has_a_rule_and_every_rule_a_task():
    assert {found.frame_rate for found in superb.tasks().values()} == set(rates.RULES)


@pytest.mark.parametrize("labels", [p for n in (1, 2, 3) for p in itertools.product((1, 2), repeat=n)])
def test_ctc_needs_as_many_frames_as_torch_says(labels):
    frames = range(1, 8)
    loss = [
        torch.nn.functional.ctc_loss(
            torch.zeros(n, 1, 3).log_softmax(-1), torch.tensor([labels]), [n], [len(labels)], zero_infinity=False
        )
        for n in frames
    ]
    assert ctc_lengths.frames_needed(labels) == next(n for n, x in zip(frames, loss, strict=True) if x.isfinite())


@pytest.mark.parametrize("stride", [160, 320])
@pytest.mark.parametrize(("total", "layers"), [(-1, [1, 1]), (-1, [2, 1]), (320, [1, 1]), (640, [1, 2])])
def test_the_head_gives_as_many_frames_as_s3prl_makes_it(stride, total, layers):
    from s3prl.downstream.asr.model import RNNs

    chosen = {"module": "LSTM", "bidirection": True, "dim": [2, 2], "dropout": [0, 0], "layer_norm": [False, False]}
    chosen["proj"] = [False, False]
    chosen |= {"sample_rate": layers, "sample_style": "concat", "total_rate": total}
    head = RNNs(4, 3, stride, **chosen)
    _, frames = head(torch.randn(1, 48, 4), torch.tensor([48]))
    assert 48 // ctc_lengths.subsampling({"select": "RNNs", "RNNs": chosen}, stride) == frames.item()


def test_a_head_that_is_to_give_more_frames_than_it_gets_is_refused(tmp_path):
    changed = settings("ASR", tmp_path, modelrc__RNNs__total_rate=320)
    with pytest.raises(UserError, match=r"ASR at 40 ms a frame: RNNs.total_rate is 320 .* set it to -1"):
        rates.check(task("ASR"), changed, FRAME_40)


@pytest.fixture
def letters(tmp_path):
    """The settings of ASR on 24 utterances of `AABBA` and 1 s, and two of fewer frames: 8 at 40 ms, 4 at 80 ms."""
    return settings("ASR", librispeech(tmp_path, [(16000, "AABBA")] * 24 + [(8 * FRAME_40, "AABBA")] * 2))


def test_letters_are_counted_with_their_repeats_the_word_mark_and_the_end(letters):
    # A A B B A | end, with a blank in each pair: 9 frames; 8 are too few, 12 (at 80 ms: of 1 s) are not
    assert ctc_lengths.unaligned(letters, "train", FRAME_40) == (2, 26)
    assert ctc_lengths.unaligned(letters, "train", FRAME_80) == (2, 26)
    assert ctc_lengths.unaligned(letters, "train", 320) == (0, 26)
    assert ctc_lengths.unaligned(letters, "train", FRAME_40, factor=3) == (26, 26)


def test_few_utterances_that_cannot_be_aligned_are_told_many_are_refused(letters, monkeypatch):
    assert rates.check(task("ASR"), letters, 320) == []
    monkeypatch.setattr(rates, "TOLERATED", 2 / 26)
    train, test, masks = rates.check(task("ASR"), letters, FRAME_40)
    assert "at 40 ms a frame, 2 of 26 utterances of train have fewer frames than CTC needs" in train
    assert "of test-clean" in test
    assert "hides up to 1600 ms" in masks
    monkeypatch.setattr(rates, "TOLERATED", 1 / 26)
    with pytest.raises(UserError, match=r"ASR at 40 ms a frame: 2 of 26 utterances of train .*leave ASR out"):
        rates.check(task("ASR"), letters, FRAME_40)


def test_phones_are_counted_as_the_corpus_reader_gives_them(tmp_path):
    librispeech(tmp_path, [(5 * FRAME_80, "X"), (3 * FRAME_80, "X")])
    (tmp_path / "phones").write_text("1-2-0000 AH0 AH0 B\n1-2-0001 AH0 AH0 B\n")  # 4 frames, and 1 for the end
    chosen = settings("PR", tmp_path, corpus__phones=str(tmp_path / "phones"))
    assert ctc_lengths.unaligned(chosen, "train", FRAME_80) == (1, 2)
    with pytest.raises(UserError, match="PR at 80 ms a frame: 1 of 2 utterances of train"):
        rates.check(task("PR"), chosen, FRAME_80)


def test_characters_and_slots_are_counted_as_the_corpus_reader_gives_them(tmp_path):
    line = "BOS GO HOME EOS\tO O B-place O"  # G O space B-place H O M E E-place end: 10
    (tmp_path / "all.iob.snips.txt").write_text(f"Ivy-snips-train-0 {line}\nIvy-snips-train-1 {line}\n")
    (tmp_path / "slots.txt").write_text("O\nB-place\nplace\n")
    for i, frames in enumerate((10, 9)):
        sound(tmp_path / "train" / f"Ivy-snips-train-{i}.wav", frames * FRAME_40)
    assert ctc_lengths.unaligned(settings("SF", tmp_path), "train", FRAME_40) == (1, 2)


@pytest.mark.parametrize(("shift", "refused"), [(None, False), (640, False), (320, False), (1280, True), (256, True)])
def test_labels_of_diarization_may_be_finer_than_the_features_and_not_coarser(tmp_path, shift, refused):
    chosen = settings("SD", tmp_path, datarc__frame_shift=shift)
    if refused:
        with pytest.raises(UserError, match=f"SD at 40 ms a frame: .*a label every {shift} samples"):
            rates.check(task("SD"), chosen, FRAME_40)
    else:
        said = rates.check(task("SD"), chosen, FRAME_40)
        assert ["440 ms" in note for note in said] == ([] if shift == 320 else [True])


def test_the_x_vector_needs_sixteen_frames():
    model = pytest.importorskip("s3prl.downstream.sv_voxceleb1.model")
    head = model.Model(
        4, 6, "SP", "XVector", "UtteranceExtractor", {"agg_dim": 6, "dropout_p": 0.0, "batch_norm": False}
    )
    least = rates.X_VECTOR + 2
    for frames in (least, least - 1):
        vector = head.inference(torch.randn(1, frames, 4), torch.zeros(1, frames - rates.X_VECTOR))
        assert bool(vector.isfinite().all()) == (frames == least)


def trials(root, *seconds):
    for i, length in enumerate(seconds):
        sound(root / "test" / "wav" / f"{i}.wav", int(length * 16000))
    (root / "voxceleb1_test_v2.txt").write_text("".join(f"1 {i}.wav 0.wav\n" for i in range(len(seconds))))
    return root


def test_verification_at_its_published_settings_runs_at_80_ms_and_not_at_160(tmp_path):
    chosen = settings("ASV", trials(tmp_path, 4, 2))
    assert rates.check(task("ASV"), chosen, FRAME_80) == []
    with pytest.raises(UserError, match=r"needs 16 frames, and vad_config.min_sec .* on 12; .* at least 40960 samples"):
        rates.check(task("ASV"), chosen, 2 * FRAME_80)


def test_only_an_x_vector_at_a_lower_rate_than_published_needs_its_frames(tmp_path):
    """The shortest crops that training may make are one sample: enough for a head without contexts, at any rate."""
    short = {"datarc__vad_config__min_sec": 1, "datarc__max_timestep": 1}
    root = trials(tmp_path, 4, 2)
    with pytest.raises(UserError, match="needs 16 frames"):
        rates.check(task("ASV"), settings("ASV", root, **short), FRAME_40)
    assert rates.check(task("ASV"), settings("ASV", root, **short), 320) == []
    without = settings("ASV", root, modelrc__module="Identity", **short)
    assert rates.check(task("ASV"), without, FRAME_40) == []


def test_verification_with_a_short_trial_is_refused(tmp_path):
    chosen = settings("ASV", trials(tmp_path, 4, 1))
    assert rates.check(task("ASV"), chosen, FRAME_40) == []
    with pytest.raises(UserError, match=r"1 of the 2 utterances of the trials, such as .*1\.wav, have fewer"):
        rates.check(task("ASV"), chosen, FRAME_80)


def test_queries_that_s3prl_would_not_search_for_are_counted(tmp_path, monkeypatch):
    for split in ("dev", "eval"):
        names = [f"{split}_{i}.wav" for i in range(2)]
        for name, frames in zip(names, (5, 4), strict=True):
            sound(tmp_path / f"{split}_queries" / name, frames * FRAME_80 // 2, rate=8000)
        listed = [f"quesst14Database/{split}_queries/{name} nnenglish\n" for name in names]
        (tmp_path / "scoring").mkdir(exist_ok=True)
        (tmp_path / "scoring" / f"language_key_{split}.lst").write_text("".join(listed) + f"x/{split}.wav albanian\n")
    chosen = settings("QbE", tmp_path)
    assert rates.check(task("QbE"), chosen, FRAME_40) == []
    with pytest.raises(UserError, match="QbE at 80 ms a frame: 1 of 2 dev queries have fewer than 5 frames"):
        rates.check(task("QbE"), chosen, FRAME_80)
    monkeypatch.setattr(rates, "TOLERATED", 0.5)
    assert len(rates.check(task("QbE"), chosen, FRAME_80)) == 2


@pytest.mark.parametrize("name", ["KS", "SID", "IC", "ER"])
def test_averaged_frames_may_come_at_any_rate(name, tmp_path):
    assert rates.check(task(name), settings(name, tmp_path), FRAME_80) == []


def test_the_stride_of_features_is_that_of_their_key(small_checkpoint):
    import s3prl_plugin

    s3prl_plugin.register()
    from s3prl import hub

    model = hub.mr_hubert_local(ckpt=str(small_checkpoint))
    for key, expected in (("hidden_states", 320), ("hidden_states_40ms", 640), ("mid.layer0", 640)):
        assert rates.stride(model, key) == expected
    with pytest.raises(UserError, match="-s outputs: its layers have frames of 20 ms, 40 ms"):
        rates.stride(model, "outputs")


class Silent(torch.nn.Module):
    """An upstream that does not report its stride."""

    def forward(self, waveforms):
        return {"hidden_states": [torch.zeros(1, len(waveforms[0]) // 640, 4)]}


def test_an_unknown_stride_is_read_off_the_features_and_an_unknown_key_refused():
    assert rates.stride(Silent(), "hidden_states") == 640
    assert rates.stride(SimpleNamespace(module=Silent()), "hidden_states") == 640
    with pytest.raises(UserError, match="did you mean 'hidden_states'"):
        rates.stride(Silent(), "hidden_state")


def suite(folder, checkpoint, tasks, *words):
    """A run of some tasks of superb_small.yaml in two steps."""
    few = {"total_steps": 2, "gradient_accumulate_steps": 1, "log_step": 1, "eval_step": 2, "save_step": 2}
    chosen = {name: {"override": {"runner": few, **more}} for name, more in tasks.items()}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump({"suite": {"corpus": "generated?voices=8&sentences=4", "tasks": chosen}}))
    flags = ["-m", "train", "-d", "suite", "-c", path, "-u", "mr_hubert_local", "-k", checkpoint]
    return entry_point.run(*flags, "-p", folder / "out", "--device", "cpu", *words)


@pytest.mark.slow
def test_diarization_needs_frames_of_whole_samples(tmp_path):
    with pytest.raises(UserError, match=r"SD at 13\.33 ms a frame: s3prl makes a label every whole number of samples"):
        rates.check(task("SD"), settings("SD", tmp_path), 640 / 3)


def test_diarization_at_40_ms_has_its_labels_and_predictions_at_40_ms(tmp_path, small_checkpoint):
    pytest.importorskip("espeakng_loader")
    h5py = pytest.importorskip("h5py")
    heads = {"loaderrc": {"num_workers": 0, "train_batchsize": 2}, "modelrc": {"hidden_size": 8}}
    tasks = {"SD": {"downstream_expert": heads}, "SID": {"downstream_expert": {"datarc": {"num_workers": 0}}}}
    done = suite(tmp_path, small_checkpoint, tasks, "-s", "hidden_states_40ms")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "SD: at 40 ms a frame, a label spans as much" in done.stdout
    folder = tmp_path / "out" / "SD"
    assert (folder / "frame_shift").read_text().strip() == "640"
    lengths = tmp_path.glob("out/data/**/test/reco2dur")
    seconds = dict(line.split() for line in next(lengths).read_text().splitlines())
    assert seconds
    for name, length in seconds.items():
        with h5py.File(folder / "scoring" / "predictions" / f"{name}.h5") as file:
            assert len(file["T_hat"]) == int(float(length) * 25)


@pytest.mark.slow
def test_a_task_that_cannot_be_run_is_refused_before_training(tmp_path, small_checkpoint):
    for package in ("espeakng_loader", "editdistance", "pandas"):
        pytest.importorskip(package)
    (tmp_path / "pool.yaml").write_text("pool_to: mean:160\n")
    done = suite(tmp_path, small_checkpoint, {"PR": {}}, "-g", tmp_path / "pool.yaml")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "PR at 160 ms a frame" in line
    assert "leave PR out" in line
    assert not list((tmp_path / "out").glob("**/*.ckpt"))
