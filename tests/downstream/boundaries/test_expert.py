"""`-d boundaries` on planted corpora: phones that jump are found, noise is as good as random boundaries."""

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.boundaries.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 12),
    Tap(1, "mid.layer0", "mid", "layer0", 1280, 12),
    Tap(2, "dec0.layer0", "dec0", "layer0", 320, 12),
)
FEATURES = (planted.phonetic(0.1), planted.phonetic(0.1), planted.noise)


def expert(corpus, out, **options):
    return DownstreamExpert(
        upstream_dim=12,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )


def rows_of(made):
    made.log_records("test", records={}, logger=None, global_step=0)
    return {(row.tap, row.measure, row.score): row for row in made.rows}


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=3, phones_each=18)


@pytest.fixture(scope="module")
def found(corpus, tmp_path_factory):
    made = expert(corpus, tmp_path_factory.mktemp("boundaries"))
    planted.feed(made, FEATURES)
    return made, rows_of(made)


def test_what_jumps_is_found_up_to_the_ceiling_of_the_rate(corpus, found):
    _, rows = found
    # a phone after one of its kind has no boundary that frames could show
    pairs = [(a.label, b.label) for u in corpus.utterances for a, b in zip(u.phones, u.phones[1:], strict=False)]
    visible = np.mean([a != b for a, b in pairs])
    row = rows["enc0.pre", "boundary_phone", "f1"]
    assert row.value > 0.9 * visible
    assert rows["enc0.pre", "boundary_phone", "recall"].value <= visible + 0.01
    assert row.chance_high < row.ci_low < row.value < row.ci_high
    assert (row.n, row.headline, len(row.replicates)) == (len(pairs), True, 8)
    ceilings = {tap.name: rows[tap.name, "boundary_phone", "ceiling"].value for tap in TAPS}
    assert ceilings["enc0.pre"] > 0.98
    assert rows["mid.layer0", "boundary_phone", "f1"].value < ceilings["mid.layer0"] < 0.8


def test_noise_is_as_good_as_random_boundaries(found):
    _, rows = found
    for unit in ("phone", "word"):
        row = rows["dec0.layer0", f"boundary_{unit}", "f1"]
        assert row.value == pytest.approx(row.chance, abs=0.06)


def test_saving_and_merging_change_nothing(corpus, tmp_path, found):
    halves = [expert(corpus, tmp_path / str(i)) for i in range(2)]
    for i, half in enumerate(halves):
        planted.feed(half, FEATURES, batch_size=5, missing=[p for p in half.plan.needed if p % 2 != i])
    first = expert(corpus, tmp_path / "both")
    first.gathering.load_state_dict(halves[0].gathering.state_dict())
    first.gathering.merge(halves[1].gathering.state_dict())
    assert {key: row.value for key, row in rows_of(first).items()} == {k: r.value for k, r in found[1].items()}


def test_its_memory_is_said_before(found):
    made, _ = found
    (curves,) = made.gathering.statistics.values()
    taken = sum(each.nbytes for some in curves.curves.values() for each in some)
    assert 0.8 * curves.memory_bytes < taken <= curves.memory_bytes


def test_what_cannot_be_scored_says_so(corpus, tmp_path):
    def still(utterance, tap, frames):
        return np.ones((frames, tap.dim))

    made = expert(corpus, tmp_path / "still", measures=["boundary_phone"], utterances=12)
    planted.feed(made, (still, *FEATURES[1:]))
    assert len(made.plan.needed) == 12
    rows = rows_of(made)
    assert rows["enc0.pre", "boundary_phone", "f1"].value == 0
    assert "no boundary was found" in rows["enc0.pre", "boundary_phone", "r_value"].refused
    for number, (some, said) in enumerate(
        [(planted.corpus(2, 8), "2 speakers, 3 needed"), (planted.corpus(8, 3, words=False), "no word times")]
    ):
        made = expert(some, tmp_path / str(number), measures=["boundary_word"])
        planted.feed(made, FEATURES)
        assert said in rows_of(made)["enc0.pre", "boundary_word", "f1"].refused
    with pytest.raises(UserError, match="random_draws"):
        expert(corpus, tmp_path, random_draws=-1)
