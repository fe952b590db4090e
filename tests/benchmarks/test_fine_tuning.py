"""`python -m benchmarks fine_tuning`: that it measures what it says, in its quick size."""

import pytest
import torch

from benchmarks import fine_tuning, forward
from benchmarks.ratios import Measuring
from s3prl_plugin.upstream.mr_hubert import small


@pytest.fixture
def path(tmp_path):
    return small.write_random_checkpoint(tmp_path / "a.pt", small.small_config(dim=32, layers=(1, 1, 1)))


def test_every_part_is_compared_in_time_and_memory():
    found = list(fine_tuning.measure(Measuring(quick=True, rounds=1)))
    assert [ratio.name.partition(",")[0] for ratio in found] == ["time", "memory"] * 3
    memory = [ratio.value for ratio in found[1::2]]
    assert min(memory) > 1
    assert memory[2] == max(memory), "cut and frozen: less of both"


def test_a_step_trains_what_is_not_frozen(path):
    step = fine_tuning.Step(path, "cpu", freeze_to="enc0.layer0")
    before = {name: p.detach().clone() for name, p in step.upstream.named_parameters()}
    step.run(forward._noise((0.3, 0.3), "cpu"))
    moved = {name for name, p in step.upstream.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {name for name in moved if "middle" in name or "decoders" in name or "sample_modules" in name}
    assert any("decoders" in name for name in moved)


def test_the_memory_of_a_longer_batch_grows_by_what_is_kept_of_it(path):
    step = fine_tuning.Step(path, "cpu")
    weights = sum(p.nbytes for p in step.upstream.parameters())
    short, twice, four = (step.memory_bytes(forward._noise((0.3,) * count, "cpu")) - 4 * weights for count in (1, 2, 4))
    assert short > 0
    assert (four - twice) == pytest.approx(2 * (twice - short), rel=0.02)
