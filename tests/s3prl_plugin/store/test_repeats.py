"""What a dataloader's batches tell, and that watching it changes nothing else."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from s3prl_plugin.store.repeats import REMEMBERED, Announced, Repeats, names_in


def test_names_are_the_texts_and_paths_of_a_batch(tmp_path):
    waveforms = [np.zeros(3), np.zeros(4)]
    assert names_in([waveforms, (0, 1), ("a", "b")], "dev") == [("dev", "a"), ("dev", "b")]
    assert names_in([waveforms, [tmp_path, tmp_path], ["x", "y"]], "t") == [
        ("t", str(tmp_path), "x"),
        ("t", str(tmp_path), "y"),
    ]


@pytest.mark.parametrize("others", [[], [(0, 1)], [torch.zeros(2)], ["ab"], [None], [("a",)], [("a", None)]])
def test_other_things_are_no_names(others):
    """Diarization gives a padded tensor of labels, lengths and None."""
    assert names_in([[np.zeros(3), np.zeros(4)], *others], "train") == [None, None]


def test_a_watched_loader_gives_what_the_loader_gives():
    data = [(torch.full((3,), i), f"{i}.wav") for i in range(6)]
    loader = DataLoader(data, batch_size=2, collate_fn=lambda samples: zip(*samples, strict=True))
    told = []
    watched = Announced(loader, told.append)
    assert len(watched) == 3
    assert watched.sampler is loader.sampler
    got = [(list(map(float, torch.stack(wavs)[:, 0])), list(names)) for wavs, names in watched]
    assert got == [([0.0, 1.0], ["0.wav", "1.wav"]), ([2.0, 3.0], ["2.wav", "3.wav"]), ([4.0, 5.0], ["4.wav", "5.wav"])]
    assert [list(batch[1]) for batch in told] == [["0.wav", "1.wav"], ["2.wav", "3.wav"], ["4.wav", "5.wav"]]


def test_what_is_remembered_of_a_name_is_bounded():
    repeats = Repeats()
    for i in range(10 * REMEMBERED):
        repeats.expected(f"crop{i}", 16000, ("train", "noise"), training=True)
    assert len(repeats._seen["train", "noise"]) == REMEMBERED
    assert repeats.expected(f"crop{10 * REMEMBERED - 1}", 16000, ("train", "noise"), training=True)
    assert not repeats.expected("crop0", 16000, ("train", "noise"), training=True)


def test_without_a_name_the_length_alone_tells():
    repeats = Repeats(crop_samples=16000)
    assert not repeats.expected("a", 16000, None, training=True)
    assert repeats.expected("a", 15999, None, training=True)
    assert repeats.expected("a", 16000, None, training=False)
