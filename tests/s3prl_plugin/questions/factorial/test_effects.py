"""Effects of the two-by-two design: exact on planted cells, with the signs that are stated, and honest intervals."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.questions.factorial.effects import CELLS, SIMPLE, WEIGHTS, effect, over_seeds

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
        "the loss alone less the lower rate alone": 6,
    }


def table(numbers):
    """(S, 4) of numbers, in the order of CELLS."""
    return np.array([[numbers[cell][seed] for cell in CELLS] for seed in numbers[True, True]])


def test_the_error_is_that_of_randomised_blocks():
    numbers = cells(range(5), noise=0.02, of_seed=0.1, rng=np.random.default_rng(1))
    y = table(numbers)
    left = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
    degrees = 3 * 4
    error = np.sqrt(np.square(left).sum() / degrees)  # of a cell
    for name, per_seed in {
        "loss": (y[:, 0] - y[:, 1] + y[:, 2] - y[:, 3]) / 2,
        "rate": (y[:, 0] + y[:, 1] - y[:, 2] - y[:, 3]) / 2,
        "interaction": y[:, 0] - y[:, 1] - y[:, 2] + y[:, 3],
    }.items():
        found = effect(numbers, WEIGHTS[name])
        half = scipy.stats.t(degrees).ppf(0.975) * error * np.sqrt((4 if name == "interaction" else 1) / 5)
        assert found.pooled
        assert found.value == pytest.approx(per_seed.mean())
        assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))
    simple = effect(numbers, SIMPLE["rate without it"])
    assert simple.high - simple.value == pytest.approx(scipy.stats.t(12).ppf(0.975) * error * np.sqrt(2 / 5))


def test_effects_of_unequal_variance_have_the_paired_t_tests_error():
    rng = np.random.default_rng(1)
    numbers = cells(range(6), noise=1e-3, rng=rng)
    for seed in numbers[True, True]:  # the loss alone varies from seed to seed
        by = 0.5 * rng.standard_normal()
        for low in (True, False):
            numbers[low, True][seed] += by
    y = table(numbers)
    expected = scipy.stats.ttest_rel((y[:, 0] + y[:, 2]) / 2, (y[:, 1] + y[:, 3]) / 2)
    found = effect(numbers, WEIGHTS["loss"])
    assert not found.pooled
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.p == pytest.approx(expected.pvalue)
    units = [y @ np.array(w) for w in ((1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1))]
    assert scipy.stats.bartlett(*units).pvalue < 0.05


def test_the_check_of_variances_is_bartletts():
    agree = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        numbers = cells(range(4), noise=0.02, rng=rng)
        for number in numbers[True, True]:
            numbers[True, True][number] += 0.06 * rng.standard_normal()
        y = table(numbers)
        units = [y @ np.array(w) for w in ((1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1))]
        agree.append((scipy.stats.bartlett(*units).pvalue >= 0.05) == effect(numbers, WEIGHTS["loss"]).pooled)
    assert all(agree)


def test_pooling_finds_an_effect_of_two_cell_deviations_more_often():
    rng = np.random.default_rng(3)
    runs, pooled, own = 600, 0, 0
    for _ in range(runs):
        numbers = cells(range(3), noise=1.0, of_seed=3.0, rng=rng, truth=(2.0, 0.0, 0.0))
        found = effect(numbers, WEIGHTS["loss"])
        y = table(numbers)
        per_seed = (y[:, 0] - y[:, 1] + y[:, 2] - y[:, 3]) / 2
        pooled += found.p < 0.05
        own += over_seeds(per_seed, range(3)).p < 0.05
    assert pooled / runs > 0.75
    assert own / runs < 0.6


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
