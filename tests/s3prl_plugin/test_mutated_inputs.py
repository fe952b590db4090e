"""Broken input for -c, -g and -o is taken or refused in one line, never with a traceback."""

import random

import mutated_runs
import pytest


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
