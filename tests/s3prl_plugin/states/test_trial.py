"""A trial leaves an upstream, and all random states, as they were."""

import random

import numpy as np
import pytest
import torch

from s3prl_plugin.states.trial import hear_noise, undisturbed


class Restless(torch.nn.Module):
    """Draws from every generator, and notes how it is called."""

    def __init__(self, fails=False):
        super().__init__()
        self.inner = torch.nn.Linear(1, 1)
        self.fails = fails
        self.called = []

    def forward(self, wavs):
        self.called.append((self.training, self.inner.training, torch.is_grad_enabled(), wavs[0].shape))
        drawn()
        if self.fails:
            raise ValueError("it fails")


def drawn():
    return random.random(), float(np.random.random()), float(torch.rand(()))


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_disturbed(fails):
    model = Restless(fails)
    model.inner.eval()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    wanted = drawn()
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    try:
        hear_noise(model)
    except ValueError:
        assert fails
    assert model.called == [(False, False, False, (16000,))]
    assert (model.training, model.inner.training, torch.is_grad_enabled()) == (True, False, True)
    assert drawn() == wanted
    with undisturbed(model):
        assert not torch.is_grad_enabled()
