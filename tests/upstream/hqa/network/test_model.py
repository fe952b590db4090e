"""Shapes, lengths, and what does not depend on what else is in a batch."""

import numpy as np
import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.model import HQA, Sampling, most_probable
from s3prl_plugin.upstream.hqa.network.normaliser import Normaliser


def model_of(seed=0, **sizes):
    torch.manual_seed(seed)
    made = HQA(Config(**{"channels": 3, "hidden": 8, "codes": 9, "code_dim": 4, "halvings": (1,) * 4, **sizes}))
    for level in made.levels:
        level.normaliser.update(2 * torch.randn(4, level.normaliser.mean.numel(), *(8,) * made.config.dims) + 1)
    return made.eval()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("frames", [1, 2, 3, 15, 16, 17, 101])
def test_every_level_has_half_the_frames_rounded_up(frames):
    model, x = model_of(), noise(1, 3, frames)
    wanted = frames
    for level, (z, _) in enumerate(model.encode(x)):
        wanted = -(-wanted // 2)
        assert z.shape == (1, 4, wanted)
        assert model.reconstruct(x, level, most_probable).shape == x.shape


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 3)])
def test_images_halve_in_both_directions(size):
    model, x = model_of(dims=2), noise(2, 3, *size)
    for level, (z, _) in enumerate(model.encode(x)):
        assert z.shape == (2, 4, *(-(-n // 2 ** (level + 1)) for n in size))
        assert model.reconstruct(x, level, most_probable).shape == x.shape


@pytest.mark.parametrize("residual_blocks", [0, 2])
def test_an_utterance_is_the_same_alone_and_padded(residual_blocks):
    model = model_of(residual_blocks=residual_blocks)
    lengths = [37, 8, 21, 1]
    alone = [noise(1, 3, n, seed=n) for n in lengths]
    batch = torch.cat([torch.nn.functional.pad(x, (0, 37 - x.shape[2]), value=9.0) for x in alone])
    together = model.encode(batch, torch.tensor(lengths))
    for i, x in enumerate(alone):
        for level, (z, _) in enumerate(model.encode(x)):
            found, count = together[level].z[i], int(together[level].lengths[i])
            assert count == z.shape[2]
            torch.testing.assert_close(found[:, :count], z[0], rtol=0, atol=2e-5)
            codes = most_probable(level, model.log_posterior(level, z))
            padded = torch.nn.functional.pad(codes, (0, together[level].z.shape[2] - count), value=3)
            decoded = model.decode(level, padded, (37,), most_probable, torch.tensor(lengths[i : i + 1]))
            wanted = model.decode(level, codes, (x.shape[2],), most_probable)
            torch.testing.assert_close(decoded[:, :, : x.shape[2]], wanted, rtol=0, atol=2e-5)


def test_the_same_seed_gives_the_same_codes_whatever_came_before():
    model, x = model_of(), noise(1, 3, 64)

    def codes(choose):
        return [choose(level, model.log_posterior(level, z)) for level, (z, _) in enumerate(model.encode(x))]

    choose = Sampling(7)
    first = codes(choose)
    torch.randn(5)
    assert all(torch.equal(a, b) for a, b in zip(first, codes(choose), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(first, codes(Sampling(7)), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, codes(Sampling(8)), strict=True))


def test_a_level_decodes_through_the_codes_of_those_below():
    model, x = model_of(), noise(1, 3, 16)
    asked = []

    def choose(level, log_q):
        asked.append((level, log_q.shape[1]))
        return most_probable(level, log_q)

    model.reconstruct(x, 2, choose)
    assert asked == [(2, 2), (1, 4), (0, 8)]


def test_running_moments_are_those_of_all_valid_values():
    normaliser, values = Normaliser(2), []
    for seed, lengths in enumerate([[5, 3], [7, 7], [1, 2]]):
        x = 4 * noise(2, 2, max(lengths), seed=seed) + torch.tensor([10.0, -3.0]).view(1, 2, 1)
        normaliser.update(x, torch.tensor(lengths))
        values += [x[i, :, :n].numpy() for i, n in enumerate(lengths)]
    values = np.concatenate(values, axis=1).astype(np.float64)
    np.testing.assert_allclose(normaliser.mean.numpy(), values.mean(1), rtol=1e-6)
    np.testing.assert_allclose(normaliser.deviation.numpy(), values.std(1), rtol=1e-6)
    x = noise(2, 2, 5)
    torch.testing.assert_close(normaliser.undo(normaliser(x)), x)


def test_a_channel_that_does_not_vary_is_left_as_it_is():
    normaliser = Normaliser(1)
    normaliser.update(torch.full((1, 1, 9), 5.0))
    assert normaliser(torch.tensor([[[5.0, 6.0]]])).flatten().tolist() == [0.0, 1.0]


def test_strides_and_bits():
    config = Config()
    assert config.strides == (160, 320, 640, 1280, 2560)
    assert config.bits_per_s == (800.0, 400.0, 200.0, 100.0, 50.0)
    for level in range(5):
        flat = config.flat_at(level)
        assert flat.bits_per_s == config.bits_per_s[level : level + 1]
        assert flat.strides == config.strides[level : level + 1]


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ({"halvings": ()}, "halvings"),
        ({"halvings": (0,)}, "halvings"),
        ({"halvings": (9, 9)}, "halvings"),
        ({"hidden": 7}, "hidden"),
        ({"codes": 1}, "codes"),
        ({"codes": "many"}, "codes"),
        ({"dims": 3}, "dims"),
        ({"quantiser": "nearst"}, "did you mean 'nearest'"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes, named):
    with pytest.raises(UserError, match=named):
        Config(**sizes)


def test_there_is_no_flat_model_of_a_level_that_is_not_there():
    with pytest.raises(UserError, match="from 0 to 4"):
        Config().flat_at(5)
