"""What stands around the scores of mutual information: replicates and chance."""

from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.corpora.corpus import Corpus, Segment
from s3prl_plugin.downstream.mi.expert import DownstreamExpert
from s3prl_plugin.inference import differences
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "enc0.pre", "enc0", "pre", 320, 12), Tap(1, "dec0.out", "dec0", "out", 320, 12))
FEATURES = (planted.phonetic(0.3), planted.noise)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=12, per_speaker=10)


def rows(corpus, out, features=FEATURES, by_control=False, **options):
    made = DownstreamExpert(
        upstream_dim=12,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    planted.feed(made, features)
    made.log_records("test")
    measures = ("mi_phone", "mi_word")
    found = [r for r in made.rows if r.measure in measures and r.tap is not None]
    return {(r.tap, r.measure, r.score, *([r.control] if by_control else [])): r for r in found}


def test_chance_is_the_mean_over_permutations(corpus, tmp_path):
    found, theory = rows(corpus, tmp_path, permutations=10), rows(corpus, tmp_path / "none", permutations=0)
    assert found.keys() == theory.keys()
    for key, row in found.items():
        assert (row.value, row.permutations, theory[key].permutations) == (theory[key].value, 10, None)
        assert row.chance_low <= row.chance <= row.chance_high
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


def test_a_large_direction_hides_phones_from_units_and_not_from_whitened_ones(corpus, tmp_path):
    def hidden(utterance, tap, frames):
        x = planted.phonetic(0.3)(utterance, tap, frames)
        x[:, 0] = 200 * planted.generator("loud", utterance.name, tap.name).standard_normal(frames)
        return x

    found = rows(corpus, tmp_path, measures=["mi_phone"], clusters=20, features=(hidden, planted.phonetic(0.3)))
    loud, plain = ({score: found[tap.name, "mi_phone", score] for score in ("adjusted", "whitened")} for tap in TAPS)
    assert loud["adjusted"].value < 0.2 < 0.5 < loud["whitened"].value
    assert plain["adjusted"].value > 0.8
    assert loud["adjusted"].number("first_component") > 0.9
    assert "k-means units see little else" in loud["adjusted"].caveat
    assert (plain["adjusted"].caveat, loud["whitened"].headline) == (None, False)
    assert loud["whitened"].ci_low < loud["whitened"].value < loud["whitened"].ci_high


def test_what_duration_alone_tells_is_gone_where_it_is_held_constant(tmp_path):
    long = {"aa", "iy", "uw"}
    utterances = []
    for u in planted.corpus(speakers=12, per_speaker=10).utterances:  # vowels last longer
        edge, phones = 0.0, []
        for i, s in enumerate(u.phones):
            length = 0.1 if s.label not in planted.PHONES else (0.14 if s.label in long else 0.07) + 0.01 * (i % 5)
            phones.append(Segment(s.label, edge, edge + length))
            edge += length
        utterances.append(replace(u, phones=tuple(phones), words=(), duration_s=edge))
    stretched = Corpus("stretched", "generated", tuple(utterances), frozenset({"sil"}))
    bins = np.linspace(0.06, 0.2, 12)

    def of_duration(utterance, tap, frames):
        """How long the phone at a frame is, in bins, each a direction of its own."""
        middle = (np.arange(frames) + 0.5) * tap.stride / 16000
        lasts = np.zeros(frames)
        for s in utterance.phones:
            lasts[(middle >= s.start_s) & (middle < s.end_s)] = s.end_s - s.start_s
        return np.eye(12)[np.minimum(np.digitize(lasts, bins), 11)] + 0.01 * planted.noise(utterance, tap, frames)

    options = {"measures": ["mi_phone"], "control": ["duration"], "clusters": 50}
    made = rows(stretched, tmp_path, features=(of_duration, planted.phonetic(0.3)), by_control=True, **options)
    free, held = (made["enc0.pre", "mi_phone", "adjusted", control] for control in (None, "duration"))
    assert free.value > 0.25
    assert held.value < 0.1 * free.value
    assert (free.headline, held.headline) == (True, True)
    phonetic, kept = (made["dec0.out", "mi_phone", "adjusted", control] for control in (None, "duration"))
    assert kept.value > 0.5 * phonetic.value, "what is of phones and not of duration stays"
