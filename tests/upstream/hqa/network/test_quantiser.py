"""The quantiser against its definition, and against torch.distributions and scipy."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from s3prl_plugin.upstream.hqa.network.quantiser import Quantiser


@pytest.fixture(params=[(5,), (3, 4)], ids=["1d", "2d"])
def vectors(request):
    """(B, D, *S)"""
    return torch.randn(2, 6, *request.param, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def quantiser():
    torch.manual_seed(0)
    return Quantiser(7, 6)


def test_the_posterior_is_the_softmax_of_minus_the_squared_distance(quantiser, vectors):
    found = quantiser.log_posterior(quantiser.distances(vectors)).exp()
    book = quantiser.codebook.detach().double().numpy()
    for place in np.ndindex(len(vectors), *vectors.shape[2:]):
        z = vectors[(place[0], slice(None), *place[1:])].double().numpy()
        weights = np.array([math.exp(-sum((z - code) ** 2)) for code in book])
        np.testing.assert_allclose(found[place].detach().numpy(), weights / weights.sum(), atol=1e-5)


def test_samples_come_as_often_as_the_posterior_says(quantiser):
    log_q = torch.log_softmax(torch.randn(1, 7, generator=torch.Generator().manual_seed(2)), -1)
    drawn = quantiser.sampled(log_q.expand(20_000, 7), torch.Generator().manual_seed(3))
    counts = torch.bincount(drawn, minlength=7).numpy()
    assert scipy.stats.chisquare(counts, 20_000 * log_q.exp()[0].numpy(), sum_check=False).pvalue > 1e-3


@pytest.mark.parametrize("temperature", [0.667, 0.05])
def test_relaxed_samples_are_those_of_the_concrete_distribution(quantiser, temperature):
    log_q = torch.log_softmax(torch.randn(7, generator=torch.Generator().manual_seed(2)), -1)
    drawn = quantiser.relaxed(log_q.expand(20_000, 7), temperature, torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn.sum(-1), torch.ones(20_000))
    torch.manual_seed(4)
    other = torch.distributions.RelaxedOneHotCategorical(torch.tensor(temperature), logits=log_q).sample((20_000,))
    for code in range(7):
        assert scipy.stats.ks_2samp(drawn[:, code].numpy(), other[:, code].numpy()).pvalue > 1e-3


def test_codes_are_looked_up_and_mixed_in_place(quantiser, vectors):
    codes = quantiser.distances(vectors).argmin(-1)
    found = quantiser.look_up(codes)
    assert found.shape == vectors.shape
    for place in np.ndindex(codes.shape):
        assert torch.equal(found[(place[0], slice(None), *place[1:])], quantiser.codebook[codes[place]])
    one_hot = torch.nn.functional.one_hot(codes, 7).float()
    torch.testing.assert_close(quantiser.mixed(one_hot), found)


def test_gradients_reach_the_codebook_and_the_vectors(quantiser, vectors):
    vectors.requires_grad_(True)
    log_q = quantiser.log_posterior(quantiser.distances(vectors))
    quantiser.mixed(quantiser.relaxed(log_q, 0.5, torch.Generator().manual_seed(0))).square().sum().backward()
    assert quantiser.codebook.grad.abs().sum() > 0
    assert vectors.grad.abs().sum() > 0


def test_a_seed_decides_a_sample(quantiser, vectors):
    log_q = quantiser.log_posterior(quantiser.distances(vectors))
    first, again, other = (quantiser.sampled(log_q, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_dead_code_moves_next_to_the_busiest(quantiser):
    counts = torch.tensor([100, 3, 50, 2, 90, 99, 4])
    before = quantiser.codebook.detach().clone()
    assert quantiser.revive(counts, 0.03, 0.01, torch.Generator().manual_seed(0)) == 3
    moved = quantiser.codebook.detach()
    assert torch.equal(moved[[0, 1, 2, 4, 5, 6]], before[[0, 1, 2, 4, 5, 6]])
    distance = float((moved[3] - before[0]).norm())
    assert 0 < distance < 5 * 0.01 * math.sqrt(6)


@pytest.mark.parametrize("counts", [[100, 3, 50, 50, 50, 50, 50], [0] * 7])
def test_a_code_that_is_used_enough_stays(quantiser, counts):
    before = quantiser.codebook.detach().clone()
    assert quantiser.revive(torch.tensor(counts), 0.03, 0.01) is None
    assert torch.equal(quantiser.codebook.detach(), before)
