"""A pass that is interrupted, shared out or merged, against one that is none of these."""

import math
import os
import signal
import time
from dataclasses import replace

import numpy as np
import planted
import pytest
import soundfile
import torch

import s3prl_plugin
from s3prl_plugin import corpora, results, stopping
from s3prl_plugin.analysis.one_pass import gather, saved_pass
from s3prl_plugin.analysis.one_pass.saved_pass import Shard
from s3prl_plugin.downstream.cca.expert import DownstreamExpert
from s3prl_plugin.downstream.suite.expert import DownstreamExpert as SuiteExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import States, Tap

TAPS = (Tap(0, "fine", None, "fine", 320, 6), Tap(1, "coarse", None, "coarse", 640, 4))


class Killed(BaseException):
    """Ends a pass in its middle."""


def upstream(waveforms):
    """States that are fixed linear maps of a waveform's samples, frame by frame."""
    tensors, lengths = [], []
    for tap in TAPS:
        weights = torch.from_numpy(planted.generator(tap.name).standard_normal((tap.stride, tap.dim))).float()
        frames = [wave[: len(wave) // tap.stride * tap.stride].view(-1, tap.stride) @ weights for wave in waveforms]
        tensors.append(torch.nn.utils.rnn.pad_sequence(frames, batch_first=True))
        lengths.append(torch.tensor([len(f) for f in frames]))
    return States(TAPS, tensors, lengths, waveforms)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory):
    """A corpus with audio; `open_corpus` gives it under the name manifest:here."""
    folder = tmp_path_factory.mktemp("audio")
    corpus = planted.corpus(speakers=8, per_speaker=3)
    utterances = tuple(replace(u, audio=folder / f"{u.name}.wav") for u in corpus.utterances)
    for u in utterances[1:]:
        soundfile.write(u.audio, planted.waveform(u).numpy(), 16000, subtype="FLOAT")
    written = {"manifest:here": replace(corpus, utterances=utterances)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "open_corpus", written.__getitem__)
        yield corpus


def run(folder, states_of=upstream, weights="w", **options):
    """One analysis in a folder; its rows by tap, measure and score."""
    given = {"corpus": "manifest:here", "batch_size": 2, "phone_tokens": 20, "word_tokens": 11, **options}
    expert = DownstreamExpert(6, 320, given, str(folder), TAPS, {"upstream": "linear"}, seed=0)
    expert.analyse(states_of, weights)
    return {(row.tap, row.measure, row.score): row for row in expert.rows}


@pytest.fixture(autouse=True)
def saves_cost_nothing(monkeypatch):
    """So that a pass is saved as often as is asked for, however short it is."""
    monkeypatch.setattr(gather, "SAVES_TAKE", math.inf)


def killed_after(batches):
    """The upstream, until it is killed."""
    calls = []

    def states_of(waveforms):
        calls.append(len(waveforms))
        if len(calls) > batches:
            raise Killed
        return upstream(waveforms)

    return states_of


@pytest.fixture(scope="module")
def whole(on_disk, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(folder, keep_statistics=True)
    return folder


def assert_same_numbers(rows, others):
    assert rows.keys() == others.keys()
    for key, row in rows.items():
        assert row.refused == others[key].refused, key
        assert row.n == others[key].n
        if row.value is not None:
            assert row.value == pytest.approx(others[key].value, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize(("batches", "statistics_on_disk"), [(0, False), (1, True), (5, False), (5, True)])
def test_a_killed_pass_goes_on_to_the_same_bits(on_disk, whole, tmp_path, batches, statistics_on_disk, capsys):
    options = {"checkpoint_minutes": 1e-9, "statistics_on_disk": statistics_on_disk}
    with pytest.raises(Killed):
        run(tmp_path, killed_after(batches), **options)
    count = []
    run(tmp_path, lambda waveforms: count.append(1) or upstream(waveforms), **options)
    assert ("moments of frames on disk" in capsys.readouterr().out) == statistics_on_disk
    assert len(count) == 12 - batches
    assert (tmp_path / results.FILE_NAME).read_bytes() == (whole / results.FILE_NAME).read_bytes()
    assert not (tmp_path / saved_pass.FOLDER).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_pass_that_is_asked_to_stop_is_saved_and_goes_on_to_the_same_bits(on_disk, whole, tmp_path, number, capsys):
    count = []

    def asked_at_the_fifth(waveforms):
        count.append(1)
        if len(count) == 5:
            os.kill(os.getpid(), number)
            time.sleep(0.01)
        return upstream(waveforms)

    with pytest.raises(stopping.Stopped), stopping.at_once():
        run(tmp_path, asked_at_the_fifth)
    assert len(count) == 5
    assert "[cca] the pass is saved after 5 of 12 batches" in capsys.readouterr().out
    run(tmp_path, lambda waveforms: count.append(1) or upstream(waveforms))
    assert len(count) == 12
    assert (tmp_path / results.FILE_NAME).read_bytes() == (whole / results.FILE_NAME).read_bytes()


def suite(folder, states_of=upstream, **options):
    """A suite of one analysis."""
    s3prl_plugin.register()
    chosen = {"corpus": "manifest:here", "batch_size": 2, "store": True}  # a store is for tasks, no analysis knows it
    chosen["analyses"] = {"cca": {"measures": ["cca_phone"], **options}}
    made = SuiteExpert(6, 320, chosen, TAPS, {"upstream": "linear"}, expdir=str(folder), seed=0, device="cpu")
    made.analyse(states_of, "w")


def test_the_finished_analyses_of_a_suite_are_not_run_again(on_disk, tmp_path, capsys):
    suite(tmp_path, phone_tokens=20)
    before = (tmp_path / results.FILE_NAME).read_bytes()
    capsys.readouterr()
    suite(tmp_path, killed_after(0), phone_tokens=20)
    assert "these analyses are finished" in capsys.readouterr().out
    assert (tmp_path / results.FILE_NAME).read_bytes() == before
    with pytest.raises(Killed):
        suite(tmp_path, killed_after(0), phone_tokens=11)


def test_skipped_files_are_counted_once_over_an_interruption(on_disk, tmp_path, capsys):
    with pytest.raises(Killed):
        run(tmp_path, killed_after(8), checkpoint_minutes=1e-9)
    run(tmp_path)
    assert f"skipped 1: audio missing ({on_disk.utterances[0].name})" in capsys.readouterr().out


def test_a_run_killed_while_it_scores_needs_no_second_pass(on_disk, whole, tmp_path, monkeypatch):
    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(DownstreamExpert, "log_records", killed)
        with pytest.raises(Killed):
            run(tmp_path)
    run(tmp_path, killed_after(0))
    assert (tmp_path / results.FILE_NAME).read_bytes() == (whole / results.FILE_NAME).read_bytes()


def test_parts_merge_to_the_whole(on_disk, whole, tmp_path, capsys):
    for part in (1, 2, 3):
        assert run(tmp_path / str(part), part=f"{part}/3") == {}
        assert not (tmp_path / str(part) / results.FILE_NAME).exists()
    assert "part 2-of-3 is gathered" in capsys.readouterr().out
    folders = [str(tmp_path / str(part)) for part in (3, 1, 2)]
    merged = run(tmp_path / "all", killed_after(0), merge=folders)
    assert_same_numbers(merged, {(r.tap, r.measure, r.score): r for r in results.read(whole)})
    rescored = run(tmp_path / "again", killed_after(0), merge=[str(whole)], intervals="none")
    assert all(row.ci_low is None for row in rescored.values())


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["1"], "part 2, 3 of 3 is missing"),
        (["1", "1"], "part 1 once more"),
        (["1", "whole"], "parts of 1 and of 3|part 1 once more"),
        (["nowhere"], "holds no statistics of cca"),
        ("1", "give a list"),
    ],
)
def test_parts_that_are_no_whole_are_refused(on_disk, whole, tmp_path, folders, message):
    run(tmp_path / "1", part="1/3")
    (tmp_path / "whole").symlink_to(whole)
    named = [str(tmp_path / f) for f in folders] if isinstance(folders, list) else folders
    with pytest.raises(UserError, match=message):
        run(tmp_path / "all", merge=named)


@pytest.mark.parametrize("part", ["3/2", "0/2", "2", 2, "a/b"])
def test_a_part_is_one_of_so_many(on_disk, tmp_path, part):
    with pytest.raises(UserError, match="write it as 2/4"):
        run(tmp_path, part=part)


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"weights": "other"}, "upstream"), ({"phone_tokens": 11}, "statistics"), ({"base": "coarse"}, "statistics")],
)
def test_the_pass_of_another_run_is_not_gone_on_from(on_disk, tmp_path, changed, named):
    with pytest.raises(Killed):
        run(tmp_path, killed_after(3), checkpoint_minutes=1e-9)
    with pytest.raises(UserError, match=f"of a pass with another {named}.*remove it, or choose another folder"):
        run(tmp_path, **changed)


def test_a_damaged_file_is_named(on_disk, tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, killed_after(3), checkpoint_minutes=1e-9)
    (path,) = (tmp_path / saved_pass.FOLDER).iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"cca-1-of-1\.pt: these statistics cannot be read .*remove the file"):
        run(tmp_path)


def test_frames_of_another_model_count_by_what_they_hold(on_disk, tmp_path, capsys):
    """The folder that `other.saved` names may be filled anew, by another model."""
    other = {"saved": str(tmp_path / "other"), "tap": "fine"}

    def noisy(waveforms):
        states = upstream(waveforms)
        noise = [torch.from_numpy(planted.generator(len(x)).standard_normal(x.shape)).float() for x in states.tensors]
        return States(TAPS, noise, states.lengths, waveforms)

    for states_of in (upstream, noisy):
        run(tmp_path / "other", states_of, measures=["cca_mel"], save_frames=True)
        suite(tmp_path / "own", measures=["cca_inter"], other=other)
        assert "these analyses are finished" not in capsys.readouterr().out
    suite(tmp_path / "own", killed_after(0), measures=["cca_inter"], other=other)
    assert "these analyses are finished" in capsys.readouterr().out


def test_the_folds_are_kept_beside_the_results(whole, on_disk):
    lines = [line.split("\t") for line in (whole / "folds.tsv").read_text().splitlines()]
    assert lines[0] == ["utterance", "speaker", "fold"]
    assert [line[0] for line in lines[1:]] == [u.name for u in on_disk.utterances]
    for speaker in on_disk.speakers:  # split by speaker
        assert len({fold for _, who, fold in lines[1:] if who == speaker}) == 1


@pytest.mark.parametrize(("total", "count"), [(0, 2), (7, 3), (2, 5)])
def test_shards_are_every_batch_once(total, count):
    batches = np.concatenate([list(Shard(i, count).batches(total)) for i in range(count)])
    assert sorted(batches.tolist()) == list(range(total))
