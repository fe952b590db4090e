"""The loss against its definition, written out position by position with torch.distributions."""

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.model import HQA
from s3prl_plugin.upstream.hqa.pretrain.losses import nearest_loss, stochastic_loss

SIZES = {"channels": 3, "hidden": 8, "codes": 5, "code_dim": 4, "halvings": (1,)}


def level_of(**changes):
    torch.manual_seed(0)
    level = HQA(Config(**{**SIZES, **changes})).level(0)
    level.normaliser.update(3 * torch.randn(4, 3, *(6,) * len(level.encoder.down[0].kernel_size)) + 1)
    return level


def normalised(level, x):
    mean, deviation = level.normaliser.mean, level.normaliser.deviation
    shape = (-1, *(1,) * (x.dim() - 2))
    return (x - mean.float().view(shape)) / deviation.float().view(shape)


def by_definition(level, x, temperature, seed):
    """The loss of one batch without padding, as the paper's text has it."""
    wanted = normalised(level, x)
    z = level.encoder(wanted)
    rows = z.movedim(1, -1).reshape(-1, z.shape[1])
    logits = -torch.stack([((row - level.quantiser.codebook) ** 2).sum(1) for row in rows])
    posterior = Categorical(logits=logits)
    weights = level.quantiser.relaxed(posterior.logits.view(*z.movedim(1, -1).shape[:-1], -1), temperature, seed)
    quantised = (weights @ level.quantiser.codebook).movedim(-1, 1)
    decoded = level.decoder(quantised, tuple(x.shape[2:]))
    dims = x[0].numel()
    batch = len(x)
    reconstruction = ((decoded - wanted) ** 2).flatten(1).sum(1).mean() / dims
    uniform = Categorical(logits=torch.zeros_like(logits))
    kl = kl_divergence(posterior, uniform).view(batch, -1).sum(1).mean() / dims
    commitment = (posterior.probs * -logits).sum(1).view(batch, -1).sum(1).mean() / dims
    return reconstruction, kl, commitment


@pytest.mark.parametrize(("dims", "shape"), [(1, (7,)), (2, (5, 6))])
def test_every_term_is_its_definition(dims, shape):
    level = level_of(dims=dims)
    x = torch.randn(3, 3, *shape, generator=torch.Generator().manual_seed(1))
    found = stochastic_loss(level, x, 0.5, generator=torch.Generator().manual_seed(2))
    reconstruction, kl, commitment = by_definition(level, x, 0.5, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found.reconstruction, reconstruction, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.kl, kl, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.commitment, commitment, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.total, reconstruction + 1e-3 * kl + 1e-3 * commitment, rtol=1e-5, atol=1e-6)


def test_padding_takes_no_part():
    level = level_of()
    x = torch.randn(1, 3, 9, generator=torch.Generator().manual_seed(1))
    padded = torch.cat([x, torch.full((1, 3, 4), 7.0)], dim=2)
    alone = stochastic_loss(level, x, 1e6, None)  # so hot that every sample is the codebook's mean
    found = stochastic_loss(level, padded, 1e6, torch.tensor([9]))
    for one, other in zip(alone[:4], found[:4], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert len(found.codes) == 5


def test_commitment_moves_codes_and_vectors():
    level = level_of()
    x = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))
    stochastic_loss(level, x, 0.5).commitment.backward()
    assert level.quantiser.codebook.grad.abs().sum() > 0
    assert level.encoder.out.weight.grad.abs().sum() > 0


def test_flat_loss_is_that_of_a_vq_vae():
    level = level_of(halvings=(2,), quantiser="nearest")
    x = torch.randn(2, 3, 11, generator=torch.Generator().manual_seed(1))
    found = nearest_loss(level, x)
    wanted = normalised(level, x)
    z = level.encoder(wanted)
    assert z.shape == (2, 4, 3)
    rows = z.movedim(1, -1)
    nearest = torch.cdist(rows, level.quantiser.codebook.expand(2, -1, -1)).argmin(-1)
    assert torch.equal(found.codes, nearest.flatten())
    e = level.quantiser.codebook[nearest].movedim(-1, 1)
    mse = torch.nn.functional.mse_loss
    torch.testing.assert_close(found.reconstruction, mse(level.decoder(e, (11,)), wanted), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.total, found.reconstruction + 1.25 * mse(z, e), rtol=1e-5, atol=1e-6)
    gradient = torch.autograd.grad(found.reconstruction, level.encoder.out.weight)[0]
    assert gradient.abs().sum() > 0, "passed straight through the codes"


def test_the_flat_losss_terms_pull_on_codes_and_vectors_by_their_own_weights():
    level = level_of(halvings=(2,), quantiser="nearest")
    x = torch.randn(2, 3, 11, generator=torch.Generator().manual_seed(1))
    mse = torch.nn.functional.mse_loss
    with torch.no_grad():
        codes = nearest_loss(level, x).codes.view(2, 3)
    found = torch.autograd.grad(
        nearest_loss(level, x).total, [level.quantiser.codebook, level.encoder.out.weight], retain_graph=True
    )
    wanted = normalised(level, x)
    z = level.encoder(wanted)
    e = level.quantiser.codebook[codes].movedim(-1, 1)
    codes_alone = torch.autograd.grad(mse(e, z.detach()), level.quantiser.codebook, retain_graph=True)[0]
    vectors_alone = torch.autograd.grad(mse(z, e.detach()), level.encoder.out.weight, retain_graph=True)[0]
    through = z + (e - z).detach()
    decoded = torch.autograd.grad(mse(level.decoder(through, (11,)), wanted), level.encoder.out.weight)[0]
    torch.testing.assert_close(found[0], codes_alone, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found[1], decoded + 0.25 * vectors_alone, rtol=1e-4, atol=1e-7)
