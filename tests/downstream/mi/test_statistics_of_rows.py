"""What stands around the scores of mutual information: replicates and chance."""

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.mi.expert import DownstreamExpert
from s3prl_plugin.report import differences
from s3prl_plugin.taps import Tap

TAPS = (Tap(0, "enc0.pre", "enc0", "pre", 320, 12), Tap(1, "dec0.out", "dec0", "out", 320, 12))
FEATURES = (planted.phonetic(0.3), planted.noise)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=12, per_speaker=10)


def rows(corpus, out, **options):
    made = DownstreamExpert(
        upstream_dim=12,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    planted.feed(made, FEATURES)
    made.log_records("test")
    measures = ("mi_phone", "mi_word")
    return {(r.tap, r.measure, r.score): r for r in made.rows if r.measure in measures and r.tap is not None}


def test_chance_is_the_mean_over_permutations(corpus, tmp_path):
    found, theory = rows(corpus, tmp_path, permutations=10), rows(corpus, tmp_path / "none")
    assert found.keys() == theory.keys()
    for key, row in found.items():
        assert (row.value, row.permutations, theory[key].permutations) == (theory[key].value, 10, None)
        assert row.chance <= row.chance_high
    # Phones exchanged within speakers give what independent labels give, as these speakers do not differ.
    for score in ("adjusted", "mi_over_h", "mi_nats"):
        assert found["enc0.pre", "mi_phone", score].chance == pytest.approx(
            theory["enc0.pre", "mi_phone", score].chance, abs=0.01
        )
    informed = found["enc0.pre", "mi_phone", "adjusted"]
    assert informed.value > informed.chance_high


def test_replicates_are_kept_for_paired_differences(corpus, tmp_path):
    found = rows(corpus, tmp_path, measures=["mi_phone"])
    for (_, _, score), row in found.items():
        assert row.folds_id
        assert (row.replicates is None) == (score == "mi_nats")
    one, other = (found[tap.name, "mi_phone", "adjusted"] for tap in TAPS)
    assert len(one.replicates) == 6  # the speakers of the scored half
    difference = differences.difference(one, other)
    assert difference.p < 0.001
    assert difference.ci_low < one.value - other.value < difference.ci_high
    per_speaker = np.array(one.replicates) - np.array(other.replicates)
    spread = np.sqrt(5 / 6 * np.square(per_speaker - per_speaker.mean()).sum())
    assert difference.ci_high - difference.value == pytest.approx(2.5706 * spread, rel=1e-4)  # t, 5 degrees of freedom
