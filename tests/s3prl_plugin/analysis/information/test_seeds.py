import numpy as np
import pytest

from s3prl_plugin.analysis.information.seeds import interval_fields, over_seeds, spread
from s3prl_plugin.inference.intervals import jackknife


def estimates(rng, seeds, speakers, seed_sd, speaker_sd):
    """Per seed, the mean over speakers of what they share, of the seed's own, and of nothing else."""
    of_speaker = rng.normal(0, speaker_sd, speakers)
    found = []
    for of_seed in rng.normal(0, seed_sd, seeds):
        scores = of_speaker + of_seed
        found.append(jackknife(scores.mean(), [np.delete(scores, i).mean() for i in range(speakers)]))
    return found


def test_one_seed_is_the_jackknife():
    (only,) = estimates(np.random.default_rng(0), 1, 8, 1, 1)
    found = over_seeds([only])
    assert found.interval() == only.interval()
    assert spread([only.value]) is None


def test_seeds_that_agree_add_nothing():
    (only,) = estimates(np.random.default_rng(0), 1, 8, 1, 1)
    assert over_seeds([only, only]).interval() == pytest.approx(only.interval())
    assert spread([0.5, 0.5]) == 0


def test_variances_of_seeds_and_speakers_add_up():
    each = estimates(np.random.default_rng(1), 4, 10, 0.3, 1)
    found = over_seeds(each)
    values = [one.value for one in each]
    assert found.value == pytest.approx(np.mean(values))
    expected = each[0].standard_error ** 2 + np.var(values, ddof=1) / 4
    assert found.standard_error**2 == pytest.approx(expected)
    assert spread(values) == pytest.approx(np.std(values, ddof=1))
    fields = interval_fields(each)
    assert (fields["ci_low"], fields["ci_high"]) == found.interval()
    assert fields["replicates"] == pytest.approx(np.mean([one.replicates for one in each], axis=0))


@pytest.mark.parametrize(("seed_sd", "speaker_sd"), [(0.5, 1), (0.0, 1), (1, 1), (1, 0.1)])
def test_intervals_cover_the_mean_over_seeds_and_speakers(seed_sd, speaker_sd):
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(1500):
        low, high = over_seeds(estimates(rng, 3, 12, seed_sd, speaker_sd)).interval()
        covered.append(low <= 0 <= high)
    assert 0.93 < np.mean(covered) < 0.995  # with three seeds that matter alone, the degrees of freedom are few
