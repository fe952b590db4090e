"""An utterance of an analysis is as it is alone, whatever upstream of s3prl's hears it."""

import foreign_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.states import batches
from s3prl_plugin.states.featurizer import StatesFeaturizer

s3prl_plugin.register()


def of_hub(name, tmp_path):
    from s3prl import hub

    if name == "hubert_custom":  # group normalisation: padding would reach every frame
        return hub.hubert_custom(ckpt=foreign_models.hubert(tmp_path / "hubert.pt"))
    return getattr(hub, name)()


@pytest.mark.parametrize(("name", "mixes"), [("hubert_custom", False), ("fbank", True)])
def test_every_utterance_is_as_it_is_alone(name, mixes, tmp_path):
    upstream = of_hub(name, tmp_path).eval()
    featurizer = StatesFeaturizer(upstream)
    calls = []

    def watched(waves):
        calls.append([len(wave) for wave in waves])
        return upstream(waves)

    draw = torch.Generator().manual_seed(0)
    waves = [0.1 * torch.randn(n, generator=draw) for n in (16000, 23457, 16000, 31111)]
    with torch.no_grad():
        featurizer.of(watched, waves)
        calls.clear()
        together = featurizer.of(watched, waves)
        for i, wave in enumerate(waves):
            alone = featurizer(waves[i : i + 1], upstream([wave]))
            for tap in range(len(together)):
                x, y = together.utterance(tap, i), alone.utterance(tap, 0)
                assert x.shape == y.shape
                assert float((x - y).abs().max() / y.std()) < 2e-5
    lengths = [len(wave) for wave in waves]
    assert calls == ([lengths] if mixes else [[16000, 16000], [23457], [31111]])


@pytest.mark.parametrize("leak", [0.0, 0.01])
def test_what_moves_at_odd_lengths_only_is_found(leak):
    """A network in which padding reaches an utterance of an odd number of samples."""

    def states(waves):
        longest = max(len(wave) for wave in waves)
        moves = [leak * (longest - len(wave)) * (len(wave) % 2) for wave in waves]
        return [[torch.linspace(-1, 1, len(x) // 320)[:, None] + move for x, move in zip(waves, moves, strict=True)]]

    assert batches.LENGTHS[0] % 2 == 0  # which alone would not show it
    assert (batches.moved_by_others(states, "cpu") > 1) == (leak > 0)


def test_lengths_are_grouped():
    assert batches.of_one_length([3, 5, 3, 4]) == [[0, 2], [1], [3]]
