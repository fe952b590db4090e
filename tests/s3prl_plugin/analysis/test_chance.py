"""The interval of chance: its formula against scipy's t, its coverage by simulation."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.analysis.chance import chance_fields


def test_it_is_the_prediction_interval_of_one_more_permutation():
    drawn = np.random.default_rng(0).normal(0.1, 0.02, 20)
    found = chance_fields(drawn)
    half = scipy.stats.t(19).ppf(0.975) * drawn.std(ddof=1) * np.sqrt(21 / 20)
    assert found == {
        "chance": pytest.approx(drawn.mean()),
        "chance_low": pytest.approx(drawn.mean() - half),
        "chance_high": pytest.approx(drawn.mean() + half),
        "permutations": 20,
    }


@pytest.mark.parametrize("count", [5, 20])
def test_it_holds_one_more_permutation_in_95_of_100_cases(count):
    rng = np.random.default_rng(count)
    inside = []
    for _ in range(2000):
        *drawn, another = rng.standard_normal(count + 1)
        found = chance_fields(drawn)
        inside.append(found["chance_low"] < another < found["chance_high"])
    assert np.mean(inside) == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 2000))


def test_of_one_permutation_there_is_no_interval():
    assert chance_fields([0.2]) == {"chance": 0.2, "permutations": 1}
