"""cca_speaker against planted speakers: voices that are there, that are not, and sessions that only look like them."""

from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.cca.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "voice", None, "voice", 320, 10),
    Tap(1, "room", None, "room", 640, 10),
    Tap(2, "none", None, "n", 320, 10),
)


def of_speaker(utterance, tap, frames):
    """A fixed offset per speaker, in noise."""
    offset = planted.generator("voice", utterance.speaker, tap.dim).standard_normal(tap.dim)
    return offset + 0.3 * planted.noise(utterance, tap, frames)


def of_session(utterance, tap, frames):
    """A fixed offset per session: it tells the speaker of every session that was heard, and of no other."""
    offset = planted.generator("room", utterance.speaker, utterance.session, tap.dim).standard_normal(tap.dim)
    return offset + 0.3 * planted.noise(utterance, tap, frames)


@pytest.fixture(scope="module")
def corpus():
    """8 speakers with 8 sessions of 4 utterances each."""
    made = planted.corpus(speakers=8, per_speaker=32, phones_each=6, words=False)
    utterances = [replace(u, session=str(int(u.name[-2:]) // 4)) for u in made.utterances]
    return replace(made, utterances=tuple(utterances))


def run(corpus, out, features=(of_speaker, of_session, planted.noise), **options):
    made = DownstreamExpert(
        upstream_dim=10,
        upstream_rate=320,
        downstream_expert={"measures": ["cca_speaker"], **options},
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    planted.feed(made, features)
    return planted.rows_of(made)


def test_voices_are_found_and_rooms_are_not(corpus, tmp_path):
    rows = run(corpus, tmp_path)
    assert rows["voice", "cca_speaker", "default", "r2"].value > 0.97
    for tap in ("room", "none"):
        row = rows[tap, "cca_speaker", "default", "r2"]
        assert row.ci_low < 0 < row.ci_high
        assert abs(row.value) < 0.15
    for row in rows.values():
        assert (row.split_by, row.folds, row.refused, row.n) == ("session", 8, None, 256)


def test_rooms_pass_for_voices_where_sessions_are_not_known(corpus, tmp_path):
    """The leak that folds by session stop: this is what it would look like."""
    original = {u.name: u for u in corpus.utterances}
    unknown = replace(corpus, utterances=tuple(replace(u, session=None) for u in corpus.utterances))
    features = [lambda u, tap, n, f=f: f(original[u.name], tap, n) for f in (of_speaker, of_session, planted.noise)]
    leaked = run(unknown, tmp_path, features)["room", "cca_speaker", "default", "r2"]
    assert leaked.ci_low > 0.05


def test_silence_at_the_ends_is_not_heard(corpus, tmp_path):
    def voice_in_speech_only(utterance, tap, frames):
        rows = of_speaker(utterance, tap, frames)
        spoken = planted.phone_at(utterance, tap.stride, frames) >= 0
        first, last = np.flatnonzero(spoken)[[0, -1]]
        rows[:first] = rows[last + 1 :] = 50 * planted.generator(utterance.name).standard_normal(tap.dim)
        return rows

    rows = run(corpus, tmp_path, (voice_in_speech_only, of_session, planted.noise))
    assert rows["voice", "cca_speaker", "default", "r2"].value > 0.3
    heard_whole = replace(corpus, silence=frozenset())
    rows = run(heard_whole, tmp_path / "whole", (voice_in_speech_only, of_session, planted.noise))
    assert rows["voice", "cca_speaker", "default", "r2"].value < 0.1


def test_weighted_frames_are_rows_of_their_own(corpus, tmp_path):
    overlap = run(corpus, tmp_path, segment_weights="overlap", intervals="none")
    frames = run(corpus, tmp_path, intervals="none")
    for key, row in overlap.items():
        assert (row.segments, frames[key].segments) == ("overlap", None)
        assert row.identity != frames[key].identity
        assert row.value == pytest.approx(frames[key].value, abs=0.05)
    assert len(results.read(tmp_path)) == len(overlap) + len(frames)


def test_permuted_sessions_give_the_chance(corpus, tmp_path):
    row = run(corpus, tmp_path, permutations=10)["voice", "cca_speaker", "default", "r2"]
    assert row.permutations == 10
    assert abs(row.chance) < 0.1
    assert row.chance <= row.chance_high < 0.3


def test_a_corpus_with_one_session_each_is_refused(corpus, tmp_path):
    one = replace(corpus, utterances=tuple(replace(u, session="only") for u in corpus.utterances))
    for row in run(one, tmp_path).values():
        assert "0 speakers with two utterances in each of three folds of sessions apart" in row.refused
        assert row.split_by == "session"


def test_the_published_tool_has_no_such_measure(corpus, tmp_path):
    with pytest.raises(UserError, match="cca_speaker has no published protocol; set protocol to default or both"):
        run(corpus, tmp_path, protocol="published")
    assert {row.protocol for row in run(corpus, tmp_path, protocol="both", intervals="none").values()} == {"default"}
