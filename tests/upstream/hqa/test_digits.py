"""The same classes on images: scikit-learn's digits, 8 x 8, at 128, 32 and 8 bits an image, beside flat VQ-VAEs.

On these images, by squared error, the hierarchy does not beat a flat VQ-VAE of the same bits; by how much it does not
is in the model's card (upstream/hqa/hqa_tiny.md), from `errors(steps=1500, seed=...)`.
"""

import pytest
import torch
from sklearn.datasets import load_digits

from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.greedy import train
from s3prl_plugin.upstream.hqa.network.model import HQA, most_probable
from s3prl_plugin.upstream.hqa.pretrain.schedule import LevelRecipe

CONFIG = Config(dims=2, channels=1, halvings=(1, 1, 1), hidden=32, codes=256)


def digits():
    """1400 images to learn from and 397 to be scored, (N, 1, 8, 8) from 0 to 1."""
    images = torch.from_numpy(load_digits().images).float()[:, None] / 16
    images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
    return images[:1400], images[1400:]


def trained(config, images, steps, seed):
    """A model after so many steps of 32 images at every level."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = HQA(config)
    train(model, images, steps, LevelRecipe(learning_rate=3e-3, reset_every=5, seed=seed))
    return model


@torch.no_grad()
def error(model, level, images):
    """Mean squared error of what is left after a level's codes."""
    return float((model.reconstruct(images, level, most_probable) - images).square().mean())


def errors(steps, seed=0):
    """Mean squared errors of held-out images: of the mean image; per level, of the hierarchy and of the flat VQ-VAE,
    which is trained for as many steps as the levels up to there together."""
    learned, scored = digits()
    hierarchy = trained(CONFIG, learned, steps, seed)
    levels = range(CONFIG.levels)
    flat = [trained(CONFIG.flat_at(level), learned, steps * (level + 1), seed) for level in levels]
    mean = float((scored - learned.mean(0)).square().mean())
    return mean, [error(hierarchy, level, scored) for level in levels], [error(each, 0, scored) for each in flat]


@pytest.mark.slow
def test_more_bits_keep_more_of_an_image():
    learned, scored = digits()
    mean = float((scored - learned.mean(0)).square().mean())
    hierarchy = trained(CONFIG, learned, 300, 0)
    found = [error(hierarchy, level, scored) for level in range(3)]
    assert found[0] < found[1] < found[2]
    assert found[0] < 0.4 * mean
    assert found[1] < mean
    flat = trained(CONFIG.flat_at(1), learned, 300, 0)
    assert found[0] < error(flat, 0, scored) < mean, "which has a quarter of the bits"


def test_codes_of_images_are_16_4_and_1():
    model = HQA(CONFIG)
    shapes = [tuple(z.shape[2:]) for z, _ in model.encode(digits()[1][:2])]
    assert shapes == [(4, 4), (2, 2), (1, 1)]
