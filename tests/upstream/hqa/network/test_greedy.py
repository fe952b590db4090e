"""Greedy training: what it changes and what it leaves alone, and that it learns."""

import math

import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.random_state import derived_seed
from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.greedy import LevelTraining, train
from s3prl_plugin.upstream.hqa.network.model import HQA, most_probable
from s3prl_plugin.upstream.hqa.pretrain.schedule import LevelRecipe, rate_factor

FAST = LevelRecipe(learning_rate=5e-3, reset_every=2)


def model_of(seed=0, **sizes):
    torch.manual_seed(seed)
    return HQA(Config(**{"channels": 4, "hidden": 16, "codes": 16, "code_dim": 8, "halvings": (1,) * 4, **sizes}))


def waves(count, seed=0, batch=8, frames=32):
    """Batches of sine waves of random frequency and phase in four channels: what a code can tell."""
    draw = torch.Generator().manual_seed(seed)
    time = torch.arange(frames)
    for _ in range(count):
        frequency = 0.1 + 0.4 * torch.rand(batch, 1, 1, generator=draw)
        phase = 2 * math.pi * torch.rand(batch, 1, 1, generator=draw)
        shift = torch.arange(4).view(1, 4, 1)
        yield torch.sin(frequency * time + phase + shift)


def snapshot(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_lower_levels_stay_as_they_are_to_the_bit():
    model = model_of()
    data = torch.cat(list(waves(20)))
    train(model, data, 10, FAST, levels=[0, 1])
    before = [snapshot(level) for level in model.levels]
    train(model, data, 10, FAST, levels=[2])
    for level in (0, 1, 3):
        after = model.level(level).state_dict()
        assert all(torch.equal(before[level][name], after[name]) for name in after)
    after = model.level(2).state_dict()
    changed = [name for name in after if not torch.equal(before[2][name], after[name])]
    assert len(changed) == len(after), "everything of the level that learns has moved, its moments too"


def test_the_input_of_a_level_is_the_continuous_output_below_without_gradient():
    model = model_of()
    training = LevelTraining(model, 2, 10, FAST)
    training.prepare()
    (x,) = waves(1)
    found = training.input(x)
    torch.testing.assert_close(found.z, model.encode(x)[1].z)
    assert not found.z.requires_grad
    training.loss(x, 0).total.backward()
    assert all(p.grad is None for level in (0, 1, 3) for p in model.level(level).parameters())


def test_dead_codes_come_back_to_life():
    def codes_in_use(reset_share):
        model = model_of(halvings=(1,))
        with torch.no_grad():
            model.level(0).quantiser.codebook[4:] += 100  # so far away that nothing ever gets them
        recipe = LevelRecipe(learning_rate=5e-3, reset_every=2, reset_share=reset_share)
        train(model, torch.cat(list(waves(120))), 120, recipe, batch_size=8)
        used = [most_probable(0, model.log_posterior(0, model.encode(x)[0].z)) for x in waves(20, seed=1)]
        return len(torch.cat(used).unique())

    assert codes_in_use(0.0) <= 4
    assert codes_in_use(0.03) > 8


def test_less_is_left_after_more_compression():
    model = model_of()
    train(model, torch.cat(list(waves(4 * 120))), 120, FAST, batch_size=8)
    (x,) = waves(1, seed=2, batch=64)
    with torch.no_grad():
        errors = [float((model.reconstruct(x, level, most_probable) - x).square().mean()) for level in range(4)]
    assert errors[0] < 0.5 * errors[3]
    assert errors[0] < 0.5 * float(x.square().mean()), "and it has learned something"


def test_training_is_the_same_again_and_goes_on_from_any_step():
    def trained(stop):
        model = model_of()
        training = LevelTraining(model, 0, 12, FAST)
        training.prepare()
        optimizer = torch.optim.RAdam(training.level.parameters(), 1e-2)
        for step, x in enumerate(waves(12)):
            if step == stop:  # all that is kept of a level's training beside its weights is the use of its codes
                use, training = training.use, LevelTraining(model, 0, 12, FAST)
                training.use = use
            torch.rand(3)  # whatever else is drawn meanwhile
            optimizer.zero_grad()
            training.loss(x, step).total.backward()
            optimizer.step()
            training.after_step(step)
        return model.state_dict()

    whole, interrupted = trained(None), trained(7)
    assert all(torch.equal(whole[name], interrupted[name]) for name in whole)


def test_what_the_levels_below_make_of_the_data_can_be_kept():
    """Training in a loop of its own, on the same batches, encoded anew for every step."""
    data, steps = torch.cat(list(waves(12))), [4, 6, 5, 3]
    kept, anew = model_of(), model_of()
    train(kept, data, steps, FAST, batch_size=8)
    for number, count in enumerate(steps):
        training = LevelTraining(anew, number, count, FAST)
        training.prepare()
        draw = torch.Generator().manual_seed(derived_seed(FAST.seed, number, "batches"))
        optimizer = torch.optim.RAdam(training.level.parameters(), FAST.learning_rate)
        for step in range(count):
            optimizer.param_groups[0]["lr"] = FAST.learning_rate * rate_factor(step, count)
            optimizer.zero_grad()
            training.loss(data[torch.randint(len(data), (8,), generator=draw)], step).total.backward()
            torch.nn.utils.clip_grad_norm_(training.level.parameters(), 1.0)
            optimizer.step()
            training.after_step(step)
    # Encoded in other batches, by float32 products; the sums of the normaliser that follow are float64.
    torch.testing.assert_close(anew.state_dict(), kept.state_dict(), rtol=1e-5, atol=1e-5)


def test_what_is_only_looked_at_changes_nothing():
    model = model_of()
    training = LevelTraining(model, 0, 10, FAST)
    (x,) = waves(1)
    before = snapshot(model)
    training.loss(x, 3, learn=False)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not training.use.any()


def test_temperature_falls_linearly_and_the_rate_stays_for_two_thirds():
    recipe = LevelRecipe()
    assert recipe.temperature(0, 101) == pytest.approx(0.667)
    assert recipe.temperature(50, 101) == pytest.approx((0.667 + 0.001) / 2)
    assert recipe.temperature(100, 101) == pytest.approx(0.001)
    assert all(rate_factor(step, 300) == 1 for step in range(201))
    assert rate_factor(250, 300) == pytest.approx(0.55)
    assert rate_factor(299, 300) == pytest.approx(0.1, abs=1e-3)
    falling = [rate_factor(step, 300) for step in range(200, 300)]
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize("given", [{"learning_rate": 0}, {"reset_every": 2.5}, {"last_temperature": "cold"}])
def test_recipes_that_cannot_be_are_refused(given):
    with pytest.raises(UserError, match=next(iter(given))):
        LevelRecipe(**given)
