"""mi_speaker against planted speakers, and its interval, which leaves out sessions."""

from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.information import speaker_protocol
from s3prl_plugin.analysis.information.mutual_information import from_table, jackknife, mutual_information
from s3prl_plugin.analysis.information.speaker_protocol import (
    MOST_GROUPS,
    SpeakerProtocol,
    exchanged,
    left_out_together,
)
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.downstream.mi.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "voice", None, "voice", 320, 10),
    Tap(1, "room", None, "room", 640, 10),
    Tap(2, "none", None, "n", 320, 10),
)


def of_speaker(utterance, tap, frames):
    """A fixed offset per speaker, in noise."""
    return planted.generator("voice", utterance.speaker).standard_normal(10) + planted.noise(utterance, tap, frames)


def of_session(utterance, tap, frames):
    """A fixed offset per session: clusters find sessions, whose speakers they cannot know."""
    room = planted.generator("room", utterance.speaker, utterance.session).standard_normal(10)
    return room + planted.noise(utterance, tap, frames)


@pytest.fixture(scope="module")
def corpus():
    """8 speakers with 12 sessions of 4 utterances each."""
    made = planted.corpus(speakers=8, per_speaker=48, phones_each=6, words=False)
    utterances = [replace(u, session=str(int(u.name[-2:]) // 4)) for u in made.utterances]
    return replace(made, utterances=tuple(utterances))


def expert(corpus, out, **options):
    return DownstreamExpert(
        upstream_dim=10,
        upstream_rate=320,
        downstream_expert={"measures": ["mi_speaker"], **options},
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )


def run(corpus, out, **options):
    made = expert(corpus, out, **options)
    planted.feed(made, (of_speaker, of_session, planted.noise))
    return planted.rows_of(made)


def test_voices_are_found_and_rooms_are_not(corpus, tmp_path):
    rows = run(corpus, tmp_path, clusters=16)
    assert rows["voice", "mi_speaker", "default", "adjusted"].value > 0.95
    for tap in ("room", "none"):
        nothing = rows[tap, "mi_speaker", "default", "adjusted"]
        assert nothing.ci_low < 0 < nothing.ci_high
        assert abs(nothing.value) < 0.1
        uncorrected = rows[tap, "mi_speaker", "default", "mi_over_h"]
        assert uncorrected.value == pytest.approx(uncorrected.chance, abs=0.06)
        assert uncorrected.value > 0.1
    for row in rows.values():
        assert (row.split_by, row.folds, row.refused, row.clusters) == ("session", 8, None, 16)


def test_permuted_sessions_give_nothing_either(corpus, tmp_path):
    rows = run(corpus, tmp_path, clusters=16, permutations=20)
    for tap in ("voice", "room"):
        row = rows[tap, "mi_speaker", "default", "adjusted"]
        assert row.permutations == 20
        assert abs(row.chance) < 0.03


def tables(draw, speakers=6, sessions_each=10, utterances=5, clusters=8):
    """(U, K, C): every session leans towards clusters of its own, and somewhat towards its speaker's."""
    profile = np.random.default_rng(7).dirichlet(np.full(clusters, 0.7), size=speakers)
    found = np.zeros((speakers * sessions_each, clusters, speakers), dtype=np.int64)
    for session in range(len(found)):
        speaker = session // sessions_each
        found[session, :, speaker] = draw.multinomial(utterances, draw.dirichlet(6 * profile[speaker] + 1e-3))
    return found


def test_chance_is_the_mutual_information_of_exchanged_sessions():
    """Utterance by utterance."""
    table = tables(np.random.default_rng(0), speakers=3, sessions_each=4, clusters=5)
    session, cluster = (np.repeat(index, table[table > 0]) for index in np.nonzero(table)[:2])
    draw = np.random.default_rng(5)
    for found in exchanged(table, 10, np.random.default_rng(5)):
        label = draw.permutation(np.repeat(np.arange(3), 4))[session]
        assert found == pytest.approx(mutual_information(cluster, label).mi, abs=1e-9)


def test_single_utterances_have_the_exact_chance():
    protocol = SpeakerProtocol(None, None, "full")
    table = tables(np.random.default_rng(0), utterances=1)
    assert protocol.information(table) == from_table(table.sum(axis=0))
    np.testing.assert_array_equal(protocol.jackknifed(table).adjusted.replicates, jackknife(table).adjusted.replicates)


def test_every_speaker_is_learned_from_and_scored(corpus, tmp_path):
    made = expert(corpus, tmp_path)
    sample = made.measures[0].means.sample
    for half in (sample.trains, ~sample.trains):
        assert set(sample.label[half]) == set(range(8))
    assert not set(sample.session[sample.trains]) & set(sample.session[~sample.trains])


def test_an_interval_never_loses_a_speaker():
    draw = np.random.default_rng(0)
    for sessions_each in (2, 9, 300):
        label = np.repeat(np.arange(7), sessions_each)
        session = draw.permutation(len(label))
        rows = np.repeat(np.arange(len(label)), 3)
        group = left_out_together(label[rows], session[rows], stream(0, "test"))
        assert len(np.unique(group)) <= max(MOST_GROUPS, 1)
        assert all(len(set(group[session[rows] == s])) == 1 for s in np.unique(session)[:40])
        for g in np.unique(group):
            assert set(label[rows][group != g]) == set(range(7))
        of_one = np.bincount(group[label[rows] == 3])
        assert of_one.max() - of_one[of_one > 0].min() <= 3


def test_intervals_over_sessions_cover_the_expected_score(monkeypatch, corpus):
    """Utterances of a session are no independent draws: an interval over utterances would be far too narrow.

    Too wide rather than too narrow, the more so the fewer sessions a speaker has.
    """
    monkeypatch.setattr(speaker_protocol, "EXCHANGES", 40)
    protocol = SpeakerProtocol(RowMaker("mi", {}, Plan(corpus, 0)), None, "full")
    draw = np.random.default_rng(1)
    values = [protocol.information(tables(draw)).adjusted for _ in range(200)]
    found = [protocol.jackknifed(tables(draw)).adjusted for _ in range(100)]
    assert 0.15 < np.mean(values) < 0.8
    ends = [each.interval() for each in found]
    assert np.mean([low < np.mean(values) < high for low, high in ends]) >= 0.9
    assert np.mean([each.standard_error for each in found]) < 1.6 * np.std(values)


def test_the_published_tool_has_no_such_measure(corpus, tmp_path):
    with pytest.raises(UserError, match="mi_speaker has no published protocol; set protocol to default or both"):
        expert(corpus, tmp_path, protocol="published")
