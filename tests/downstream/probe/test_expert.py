"""`-d probe` on planted corpora: rows and folds of mi, planted truth, chance and refusals."""

from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.mi.expert import DownstreamExpert as Mi
from s3prl_plugin.downstream.probe import cross_validated
from s3prl_plugin.downstream.probe.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 12),
    Tap(1, "mid.out", "mid", "out", 640, 12),
    Tap(2, "dec0.out", "dec0", "out", 320, 12),
)
FEATURES = (planted.phonetic(0.01), planted.phonetic(2.0), planted.noise)


def voice(utterance, tap, frames):
    """Features that tell speakers and nothing else."""
    code = planted.generator("voice", utterance.speaker).standard_normal(tap.dim)
    return code + planted.noise(utterance, tap, frames)


def expert(corpus, out, cls=DownstreamExpert, gathering=None, **options):
    return cls(
        upstream_dim=12,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=gathering or Gathering(Plan(corpus, 0)),
    )


def run(corpus, out, features=FEATURES, **options):
    made = expert(corpus, out, **options)
    planted.feed(made, features)
    return made, planted.rows_of(made)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=12, per_speaker=6)


def test_what_was_planted_is_found_and_noise_is_chance(corpus, tmp_path):
    made, rows = run(corpus, tmp_path, measures=["probe_phone"])
    plain, noisy, noise = (rows[tap.name, "probe_phone", "default", "accuracy"] for tap in TAPS)
    assert plain.value > 0.99
    assert noise.value < noisy.value < plain.value
    assert noise.chance_low < noise.value < noise.chance_high
    assert noise.ci_low < noise.chance < noise.ci_high
    assert rows["dec0.out", "probe_phone", "default", "balanced_accuracy"].chance == pytest.approx(1 / 6, abs=0.03)
    for row in rows.values():
        assert (row.n, len(row.per_fold), row.permutations) == (len(made.measures[0].means.sample), 6, 10)
        assert row.value == pytest.approx(np.mean(row.per_fold))
        assert row.headline == (row.score == "accuracy")
        assert row.grey is None


def test_its_rows_and_folds_are_those_of_mi(corpus, tmp_path):
    gathering = Gathering(Plan(corpus, 0))
    mi = expert(corpus, tmp_path, Mi, gathering, measures=["mi_phone", "mi_word", "mi_speaker"])
    options = {"measures": ["probe_phone", "probe_word", "probe_speaker"]}
    probe = expert(corpus, tmp_path, gathering=mi.gathering, **options)
    pairs = zip(probe.measures, mi.measures[:3], strict=True)
    assert all(ours.means is theirs.means for ours, theirs in pairs)
    assert {count.learned for count in probe.tokens.values()} == {None}, "all are scored"


def test_rows_are_those_of_the_function(corpus, tmp_path):
    made, rows = run(corpus, tmp_path, measures=["probe_word"], segment_weights="overlap")
    means = made.measures[0].means
    kept, label, _ = means.labelled()
    told = cross_validated(means.means(1, kept), label, means.sample.fold[kept])
    assert rows["mid.out", "probe_word", "default", "accuracy"].value == told.accuracy.mean()
    assert {row.segments for row in rows.values()} == {"overlap"}


def test_speakers_are_told_by_voice_and_not_by_noise(corpus, tmp_path):
    features = (voice, planted.noise, planted.noise)
    _, rows = run(corpus, tmp_path, features, measures=["probe_speaker"], permutations=0, intervals="none")
    voiced, noise = (rows[name, "probe_speaker", "default", "accuracy"] for name in ("enc0.pre", "dec0.out"))
    assert voiced.value == 1
    assert noise.value < 0.3
    assert voiced.split_by == "session"
    assert voiced.chance == pytest.approx(1 / 12)
    assert voiced.ci_low is None


def test_what_is_too_little_is_refused(tmp_path):
    cases = [
        (planted.corpus(8, 3, phones=False), "probe_phone", "no phone times"),
        (planted.corpus(8, 3, phones_each=2), "probe_phone", "phones, 50 needed"),
        (planted.corpus(1, 8), "probe_speaker", "1 speakers with two utterances"),
        (planted.corpus(8, 6), "probe_speaker", "48 utterances, 50 needed"),
    ]
    for some, measure, said in cases:
        _, rows = run(some, tmp_path, measures=[measure])
        assert {said in row.refused for row in rows.values()} == {True}, said
    _, rows = run(planted.corpus(5, 8), tmp_path, measures=["probe_phone"], permutations=0)
    assert {row.grey for row in rows.values()} == {
        "5 speakers, who are learned from and scored alike; eight or more would keep them apart"
    }
    _, rows = run(planted.corpus(8, 6), tmp_path, (lambda *_: planted.noise(*_) * 0,) * 3, measures=["probe_phone"])
    assert all("no covariance" in row.refused for row in rows.values())


def test_options_that_cannot_be_used(corpus, tmp_path):
    for options in ({"phone_tokens_per_half": 3}, {"permutations": -1}, {"intervals": "some"}, {"clusters": 3}):
        with pytest.raises(UserError, match=next(iter(options))):
            expert(corpus, tmp_path, **options)


def test_utterances_that_did_not_come_by_have_no_part(corpus, tmp_path):
    made = expert(corpus, tmp_path, measures=["probe_phone"], permutations=0)
    missing = [int(p) for p in made.plan.needed if corpus.utterances[p].speaker == "spk00"]
    planted.feed(made, FEATURES, missing=missing)
    rows = planted.rows_of(made)
    fewer = replace(corpus, utterances=tuple(u for u in corpus.utterances if u.speaker != "spk00"))
    spoken = sum(phone.label != "sil" for u in fewer.utterances for phone in u.phones)
    assert {row.n for row in rows.values()} == {spoken}
