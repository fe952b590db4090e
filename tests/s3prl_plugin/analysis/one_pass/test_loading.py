from dataclasses import replace
from pathlib import Path

import numpy as np
import planted
import pytest
import soundfile
import torch

from s3prl_plugin.analysis.one_pass.loading import Waveforms
from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.corpora.skips import Skips

ONE_FOLD = np.zeros(8, dtype=int)


@pytest.fixture
def utterances(tmp_path):
    """Eight utterances on disk; one is missing, one has NaN samples, one is too short."""
    written = []
    for i, u in enumerate(planted.corpus(speakers=8, per_speaker=1).utterances):
        path = tmp_path / f"{u.name}.wav"
        wave = planted.waveform(u).numpy()
        if i == 2:
            wave[100] = np.nan
        if i != 5:
            soundfile.write(path, wave if i != 6 else wave[:399], 16000, subtype="FLOAT")
        written.append(replace(u, audio=path))
    return written


@pytest.mark.parametrize("num_workers", [0, 2])
def test_bad_files_are_counted_and_the_rest_comes_whole(utterances, num_workers):
    skips = Skips()
    seen = {}
    for waves, positions in Waveforms(utterances, range(8), ONE_FOLD, 3, num_workers, skips):
        assert len(waves) == len(positions) > 0
        seen.update(zip(positions, waves, strict=True))
    assert sorted(seen) == [0, 1, 3, 4, 7]
    for position, wave in seen.items():
        assert wave.dtype == np.float32
        np.testing.assert_array_equal(wave, planted.waveform(utterances[position]).numpy())
    assert skips.total == 3
    assert {name for names in skips.values() for name in names} == {utterances[i].name for i in (2, 5, 6)}


def test_a_batch_of_bad_files_only_is_passed_over(utterances):
    skips = Skips()
    assert [positions for _, positions in Waveforms(utterances, [2, 5], ONE_FOLD, 1, 0, skips)] == []
    assert skips.total == 2


def test_batches_are_sorted_by_length_and_always_the_same(utterances):
    first, shuffled = (
        Waveforms(utterances, range(8), ONE_FOLD, 3, 0, Skips()),
        Waveforms(utterances, [5, 1, 0, 7, 2, 3, 6, 4], ONE_FOLD, 3, 0, Skips()),
    )
    assert first.batches == shuffled.batches
    assert len(first) == 3
    durations = [utterances[p].duration_s for batch in first.batches for p in batch]
    assert durations == sorted(durations, reverse=True)


def test_batches_are_made_by_duration():
    drawn = np.random.default_rng(0)
    durations = [*drawn.uniform(0.3, 30, 200), 1200.0]
    utterances = [Utterance(f"u{i:03d}", "s", Path("none"), float(s)) for i, s in enumerate(durations)]
    fold = np.zeros(201, dtype=int)
    batches = Waveforms(utterances, range(201), fold, None, 0, Skips(), batch_seconds=60).batches
    assert batches[0] == [200]  # the long one is alone
    assert sorted(p for batch in batches for p in batch) == list(range(201))
    lasting = [len(batch) * max(durations[p] for p in batch) for batch in batches]
    assert max(lasting[1:]) <= 60
    assert len(batches) < 201 * 15 / 40  # nearly full: 201 utterances of 15 s on average, all of similar length
    assert max(map(len, Waveforms(utterances, range(201), fold, 3, 0, Skips()).batches)) == 3


def test_a_batch_is_of_one_fold(utterances):
    fold = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    batches = Waveforms(utterances, range(8), fold, 2, 0, Skips()).batches
    assert sorted(p for batch in batches for p in batch) == list(range(8))
    assert [sorted({fold[p] for p in batch}) for batch in batches] == [[0], [0], [1], [1], [2]]


def test_some_batches_are_read_under_their_numbers(utterances):
    reading = Waveforms(utterances, range(8), ONE_FOLD, 2, 0, Skips())
    found = list(reading.read([3, 1]))
    assert [batch.number for batch in found] == [3, 1]
    for batch in found:
        assert set(batch.positions) <= set(reading.batches[batch.number])
        assert len(batch.waveforms) == len(batch.positions)


def test_reading_leaves_the_global_random_state_alone(utterances):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(Waveforms(utterances, range(8), ONE_FOLD, 4, 0, Skips()))
    assert torch.equal(before, torch.get_rng_state())
