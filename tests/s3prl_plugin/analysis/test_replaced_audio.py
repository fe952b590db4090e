"""Audio that is replaced between two runs in one folder: never two of them in one number, and no rows of the old."""

import shutil
from dataclasses import replace

import numpy as np
import planted
import pytest
import soundfile
import torch

import s3prl_plugin
from s3prl_plugin import corpora, results
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.suite.expert import DownstreamExpert as SuiteExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import States, Tap

TAPS = (Tap(0, "only", None, "only", 320, 6),)
REPLACED = ("spk02_utt01", "spk05_utt00")


class Killed(BaseException):
    """Ends a pass in its middle."""


def upstream(waveforms):
    weights = torch.from_numpy(planted.generator("w").standard_normal((320, 6))).float()
    frames = [wave[: len(wave) // 320 * 320].view(-1, 320) @ weights for wave in waveforms]
    lengths = torch.tensor([len(f) for f in frames])
    return States(TAPS, [torch.nn.utils.rnn.pad_sequence(frames, batch_first=True)], [lengths], waveforms)


def killed_after(batches):
    calls = []

    def states_of(waveforms):
        calls.append(1)
        if len(calls) > batches:
            raise Killed
        return upstream(waveforms)

    return states_of


def write(folder, noise=()):
    """A corpus with audio; that of the utterances named in `noise` is noise of the same length."""
    folder.mkdir(exist_ok=True)
    corpus = planted.corpus(speakers=8, per_speaker=2, phones_each=16)
    utterances = tuple(replace(u, audio=folder / f"{u.name}.wav") for u in corpus.utterances)
    for u in utterances:
        wave = planted.waveform(u).numpy()
        if u.name in noise:
            wave = np.random.default_rng(0).standard_normal(len(wave)) * 0.1
        if u.name in noise or not u.audio.exists():
            soundfile.write(u.audio, wave, 16000, subtype="FLOAT")
    return replace(corpus, utterances=utterances)


@pytest.fixture
def audio(tmp_path, monkeypatch):
    """The folder of the audio of the corpus that every run reads."""
    corpus = write(tmp_path / "audio")
    monkeypatch.setattr(corpora, "open_corpus", lambda spec, **_: corpus)
    return tmp_path / "audio"


def run(folder, states_of=upstream):
    """The analyses of a suite in a folder; the values by measure and score."""
    s3prl_plugin.register()
    chosen = {"corpus": "manifest:here", "batch_size": 2, "checkpoint_minutes": 1e-9}
    chosen["analyses"] = {"cca": {"measures": ["cca_mel"]}}
    made = SuiteExpert(6, 320, chosen, TAPS, {"upstream": "linear"}, expdir=str(folder), seed=0, device="cpu")
    made.analyse(states_of, "w")
    return numbers(folder)


def numbers(folder):
    return {(row.measure, row.score): row.value for row in results.read(folder) if row.value is not None}


def test_a_killed_pass_does_not_go_on_with_other_audio(audio, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Killed):
        run(out, killed_after(3))
    write(audio, REPLACED)
    for _ in range(2):  # and again, as long as nothing is done about it
        with pytest.raises(UserError, match=r"has changed since: .*spk02_utt01\.wav, .*spk05_utt00\.wav") as caught:
            run(out)
        assert "\n" not in str(caught.value)
    shutil.rmtree(audio)
    write(audio)  # as it was, written at another time
    assert run(out) == run(tmp_path / "clean")


def test_finished_rows_of_replaced_audio_are_computed_anew(audio, tmp_path, capsys):
    before = run(tmp_path / "out")
    assert run(tmp_path / "out", killed_after(0)) == before  # nothing is run
    assert "finished" in capsys.readouterr().out
    write(audio, REPLACED)
    after = run(tmp_path / "out")
    assert "not what it was when this folder was last used: spk02_utt01, spk05_utt00" in capsys.readouterr().out
    assert after != before
    assert after == run(tmp_path / "clean")


def test_copies_share_folds_and_other_audio_does_not(audio, tmp_path):
    plan = Plan(corpora.open_corpus(""), 0)
    shutil.copytree(audio, tmp_path / "copy")
    moved = [replace(u, audio=tmp_path / "copy" / u.audio.name) for u in plan.corpus.utterances]
    copy = Plan(replace(plan.corpus, utterances=tuple(moved)), 0)
    assert (copy.folds_id, copy.content_id) == (plan.folds_id, plan.content_id)
    write(audio, REPLACED)
    other = Plan(plan.corpus, 0)
    assert np.array_equal(other.folds.of_utterance, plan.folds.of_utterance)
    assert other.folds_id != plan.folds_id
