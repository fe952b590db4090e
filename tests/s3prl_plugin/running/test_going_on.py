"""The batches of a training that goes on, and what is drawn in it, are those of the one that never stopped."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler, WeightedRandomSampler

from s3prl_plugin.random_state import seed_everything
from s3prl_plugin.running import going_on
from s3prl_plugin.running.going_on import TrainingPlace

EPOCH, BATCH = 10, 3  # utterances, of which the last batch has one


class Crops:
    """A corpus whose items are drawn anew whenever they are read, by all generators."""

    def __len__(self):
        return EPOCH

    def __getitem__(self, index):
        return index, random.random(), np.random.random(), torch.rand(()).item()


class Downstream(torch.nn.Module):
    """Has s3prl's interface, with or without epochs."""

    def __init__(self, workers, knows_epochs, sampler=None):
        super().__init__()
        self.workers, self.knows_epochs, self.sampler, self.epochs = workers, knows_epochs, sampler, []

    def get_dataloader(self, split, *, epoch=None):
        if epoch is not None and not self.knows_epochs:
            raise TypeError("get_dataloader() got an unexpected keyword argument 'epoch'")
        self.epochs.append(epoch)
        options = {"sampler": self.sampler(), "shuffle": False} if self.sampler else {"shuffle": True}
        return DataLoader(Crops(), batch_size=BATCH, num_workers=self.workers, collate_fn=list, **options)


def train(place, downstream, steps, checkpoint, *, save_at=(), stop_at=None, evaluate_at=()):
    """s3prl's loop: all that is read and drawn, and the checkpoints on the way."""
    seen, saved = [], {}
    step, epoch = checkpoint.get("Step", 0), checkpoint.get("Epoch", 0)
    with place.kept():
        while step < steps:
            try:
                loader = downstream.get_dataloader("train", epoch=epoch)
            except TypeError:
                loader = downstream.get_dataloader("train")
                if isinstance(loader.sampler, DistributedSampler):
                    loader.sampler.set_epoch(epoch)
            assert len(loader) == -(-EPOCH // BATCH)
            for batch in loader:
                if step == steps:
                    break
                step += 1
                seen.append((batch, torch.rand(2).tolist(), random.random(), np.random.random()))
                if step in evaluate_at:
                    seed_everything(0)  # as s3prl does
                    list(downstream.get_dataloader("train"))
                if step in save_at:
                    saved[step] = {"Step": step, "Epoch": epoch, **place._content()}
                if step == stop_at:
                    return seen, saved
            epoch += 1
    return seen, saved


def started(checkpoint, **options):
    downstream = Downstream(**options)
    place = TrainingPlace(1, checkpoint)
    place.watch(downstream)
    return place, downstream


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("knows_epochs", [True, False])
def test_from_any_checkpoint_on_it_is_as_if_it_had_not_stopped(tmp_path, workers, knows_epochs):
    options = {"workers": workers, "knows_epochs": knows_epochs}
    steps, save_at = 11, (1, 2, 4, 6, 8, 9)  # in the middle of epochs, and at their ends
    seed_everything(1)
    place, downstream = started({}, **options)
    whole, saved = train(place, downstream, steps, {}, save_at=save_at, evaluate_at=(3, 6))
    for step in save_at:
        path = tmp_path / f"{step}.ckpt"
        torch.save(saved[step], path)
        checkpoint = torch.load(path, weights_only=True)
        seed_everything(step + 100)  # whatever another process has drawn before
        place, downstream = started(checkpoint, **options)
        rest, again = train(place, downstream, steps, checkpoint, save_at=save_at, evaluate_at=(3, 6))
        assert rest == whole[step:]
        assert {s: c["Place"]["position"] for s, c in again.items()} == {
            s: c["Place"]["position"] for s, c in saved.items() if s > step
        }


def test_two_interruptions_in_one_epoch():
    options = {"workers": 0, "knows_epochs": True}
    seed_everything(1)
    whole, _ = train(*started({}, **options), 8, {})
    seed_everything(1)
    one, saved = train(*started({}, **options), 8, {}, save_at=(1,), stop_at=2)
    two, later = train(*started(saved[1], **options), 8, saved[1], save_at=(2,), stop_at=3)
    three, _ = train(*started(later[2], **options), 8, later[2])
    assert one[:1] + two[:1] + three == whole


def test_an_order_that_a_sampler_draws_comes_again():
    options = {"workers": 0, "knows_epochs": True}
    options["sampler"] = lambda: WeightedRandomSampler([1.0] * 5 + [3.0] * 5, EPOCH)
    seed_everything(1)
    whole, saved = train(*started({}, **options), 6, {}, save_at=(2,))
    rest, _ = train(*started(saved[2], **options), 6, saved[2])
    assert rest == whole[2:]


def test_without_an_interruption_nothing_is_drawn_otherwise():
    options = {"workers": 0, "knows_epochs": True}
    seed_everything(1)
    watched, _ = train(*started({}, **options), 9, {}, save_at=(1, 5))
    seed_everything(1)
    place, downstream = TrainingPlace(1, {}), Downstream(**options)
    plain, _ = train(place, downstream, 9, {})
    assert watched == plain


def test_of_several_processes_each_draws_its_own_again(monkeypatch):
    monkeypatch.setattr(going_on.ranks, "count", lambda: 2)
    options = {"workers": 0, "knows_epochs": False}
    drawn = {}
    for rank in (0, 1):
        monkeypatch.setattr(going_on.ranks, "mine", lambda rank=rank: rank)
        options["sampler"] = lambda rank=rank: DistributedSampler(Crops(), num_replicas=2, rank=rank)
        place, downstream = started({}, **options)
        drawn[rank], saved = distributed(place, downstream, {}, evaluates=rank == 0)
        rest, _ = distributed(*started(saved, **options), saved, evaluates=rank == 0)
        assert rest == drawn[rank][saved["Step"] :]
    assert [batch for batch, _ in drawn[0]] != [batch for batch, _ in drawn[1]]
    assert [x for _, x in drawn[0]] != [x for _, x in drawn[1]]


def distributed(place, downstream, checkpoint, evaluates):
    """The same loop on one of two processes, of which the leader alone evaluates."""
    seen, saved, step, epoch = [], {}, checkpoint.get("Step", 0), checkpoint.get("Epoch", 0)
    with place.kept():
        while step < 5:
            with pytest.raises(TypeError):
                downstream.get_dataloader("train", epoch=epoch)
            loader = downstream.get_dataloader("train")
            loader.sampler.set_epoch(epoch)
            for batch in loader:
                step += 1
                seen.append((batch, torch.rand(1).item()))
                if step == 2 and evaluates:
                    seed_everything(0)
                if step == 3:
                    saved = {"Step": step, "Epoch": epoch, **place._content()}
                if step == 5:
                    break
            epoch += 1
    return seen, saved


def test_a_checkpoint_that_does_not_say_its_place_is_told(capsys):
    checkpoint = {"Step": 2, "Epoch": 0}
    train(*started(checkpoint, workers=0, knows_epochs=True), 3, checkpoint)
    assert "does not say how far its epoch was" in capsys.readouterr().out
    train(*started({}, workers=0, knows_epochs=True), 3, {})
    assert "does not say" not in capsys.readouterr().out


def test_the_scale_of_half_precision_goes_on(monkeypatch):
    stock = torch.amp.GradScaler
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device, *args, **kwargs: stock("cpu", *args, **kwargs))
    place = TrainingPlace(1, {})
    with place.kept():
        scaler = torch.cuda.amp.GradScaler(init_scale=8.0)  # as s3prl's runner asks for one
    kept = place._content()
    assert scaler.get_scale() == 8.0
    with TrainingPlace(1, {"Step": 1, **kept}).kept():
        assert torch.cuda.amp.GradScaler().get_scale() == 8.0
