"""Broken input for -c, -g and -o is taken or refused in one line, never with a traceback."""

import random

import mutated_runs
import pytest

from s3prl_plugin import own_upstreams
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import foreign


@pytest.mark.parametrize("flag", mutated_runs.FLAGS)
def test_a_hundred_of_each(flag, tmp_path):
    """tests/torture/mutated_inputs.py tries thousands."""
    draw = random.Random(2026)
    outcomes = set()
    for _ in range(100):
        outcome, given, error = mutated_runs.FLAGS[flag](draw, tmp_path)
        assert error is None, given
        outcomes.add(outcome)
    assert outcomes == {"taken", "refused"}


@pytest.mark.parametrize("entry", ["mr_hubert_tiny", "hqa_tiny", "fbank"])
@pytest.mark.parametrize("seed", [-1, 2**63, 10**60, True, 1.5])
def test_a_seed_is_one_that_torch_takes(entry, seed):
    check = foreign.asked_of if entry == "fbank" else own_upstreams.check_options
    with pytest.raises(UserError, match=r"seed: .* is not possible; give a whole number from 0 to"):
        check(entry, {"random_weights": True, "seed": seed})
