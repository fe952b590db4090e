"""Effects of the two-by-two design: exact on planted cells, with the signs that are stated, and honest intervals."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.analysis.refusal import Refused
from s3prl_plugin.report.factorial.effects import CELLS, SIMPLE, WEIGHTS, effect, over_seeds

LOSS, RATE, INTERACTION = 0.06, -0.04, 0.02


def cells(seeds, noise=0.0, of_seed=0.0, rng=None, truth=(LOSS, RATE, INTERACTION)):
    """Numbers with known effects, built from the definition of a two-by-two analysis with levels of -1/2 and +1/2."""
    rng = rng or np.random.default_rng(0)
    loss, rate, interaction = truth
    common = {seed: of_seed * rng.standard_normal() for seed in seeds}
    return {
        (low, auxiliary): {
            seed: 0.5
            + loss * (auxiliary - 0.5)
            + rate * (low - 0.5)
            + interaction * (auxiliary - 0.5) * (low - 0.5)
            + common[seed]
            + noise * rng.standard_normal()
            for seed in seeds
        }
        for low, auxiliary in CELLS
    }


def test_planted_effects_are_recovered_exactly_whatever_seeds_have_in_common():
    numbers = cells([1, 2, 3], of_seed=0.3)
    for name, truth in {"loss": LOSS, "rate": RATE, "interaction": INTERACTION}.items():
        found = effect(numbers, WEIGHTS[name])
        assert (found.value, found.low, found.high) == pytest.approx((truth,) * 3)
        assert found.seeds == (1, 2, 3)


def test_signs():
    """The loss helps by 3 at the lower rate and by 1 at the other; the lower rate costs 5 without it."""
    y = {(True, True): 8.0, (True, False): 5.0, (False, True): 11.0, (False, False): 10.0}
    numbers = {cell: dict.fromkeys((1, 2, 3), value) for cell, value in y.items()}
    assert effect(numbers, WEIGHTS["loss"]).value == 2
    assert effect(numbers, WEIGHTS["rate"]).value == -4
    assert effect(numbers, WEIGHTS["interaction"]).value == 2
    simple = {name: effect(numbers, weights).value for name, weights in SIMPLE.items()}
    assert simple == {
        "loss at the lower rate": 3,
        "loss at the model's own rate": 1,
        "rate with the auxiliary loss": -3,
        "rate without it": -5,
    }


def test_the_interval_is_the_paired_t_tests():
    rng = np.random.default_rng(1)
    numbers = cells(range(5), noise=0.02, of_seed=0.1, rng=rng)
    y = {cell: np.array(list(each.values())) for cell, each in numbers.items()}
    with_loss, without = (y[True, auxiliary] + y[False, auxiliary] for auxiliary in (True, False))
    expected = scipy.stats.ttest_rel(with_loss / 2, without / 2)
    found = effect(numbers, WEIGHTS["loss"])
    interval = expected.confidence_interval()
    assert (found.value, found.low, found.high) == pytest.approx(((with_loss - without).mean() / 2, *interval))
    assert found.p == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("name", list(WEIGHTS))
def test_intervals_cover(name, seeds):
    rng = np.random.default_rng(2)
    truth = {"loss": LOSS, "rate": RATE, "interaction": INTERACTION}[name]
    runs, covered = 1500, 0
    for _ in range(runs):
        found = effect(cells(range(seeds), noise=0.01, of_seed=0.05, rng=rng), WEIGHTS[name])
        covered += found.low <= truth <= found.high
    assert covered / runs == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / runs))


def test_only_seeds_in_all_cells_count():
    numbers = cells([1, 2, 3, 4])
    numbers[True, True][9] = 100.0
    del numbers[False, False][2]
    assert effect(numbers, WEIGHTS["loss"]).seeds == (1, 3, 4)
    assert effect(numbers, SIMPLE["loss at the lower rate"]).seeds == (1, 2, 3, 4)


def test_two_seeds_are_refused():
    with pytest.raises(Refused, match="2 seeds in common, 3 are needed"):
        effect(cells([1, 2]), WEIGHTS["rate"])
    with pytest.raises(Refused, match="1 seed in common"):
        over_seeds([0.5], [1])


def test_a_missing_cell_is_named():
    numbers = cells([1, 2, 3])
    del numbers[True, False]
    with pytest.raises(Refused, match="no number of the cell lower rate, without auxiliary loss"):
        effect(numbers, WEIGHTS["loss"])
    assert effect(numbers, SIMPLE["loss at the model's own rate"]).value == pytest.approx(LOSS - INTERACTION / 2)
