from dataclasses import replace

import planted
import pytest
import soundfile

from s3prl_plugin import corpora, results
from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "a", None, "a", 320, 4), Tap(1, "b", None, "b", 640, 4))
FEATURES = (planted.noise, planted.noise)
PROVENANCE = {"upstream": "planted", "weights": "random", "params": 12}


class Counted:
    """A statistic that counts frames."""

    memory_bytes = 1_000_000

    def __init__(self):
        self.frames, self.order = [0] * len(TAPS), []

    def describe(self):
        return "frames"

    def update(self, batch):
        self.order += batch.positions
        for tap in range(len(self.frames)):
            self.frames[tap] += sum(len(batch.frames(i, tap)) for i in range(len(batch)))

    def state_dict(self):
        return {"frames": self.frames, "order": self.order}

    def load_state_dict(self, state):
        self.frames, self.order = list(state["frames"]), list(state["order"])

    def merge(self, state):
        self.frames = [a + b for a, b in zip(self.frames, state["frames"], strict=True)]
        self.order += state["order"]


class Counting:
    """A measure that tells how many frames were counted."""

    def __init__(self, expert):
        self.expert, self.counted = expert, expert.gathering.share("count", Counted)
        expert.plan.frame_utterances(None)

    def __len__(self):
        return len(TAPS)

    def compute(self):
        for tap, frames in zip(self.expert.taps, self.counted.frames, strict=True):
            yield [self.expert.make_row.row(tap, "cca_mel", "r2", value=frames, headline=True)]


class Expert(AnalysisExpert):
    name = "cca"
    known_measures = ("cca_mel", "cca_phone")

    def build(self, measures):
        return [Counting(self)]


def expert(tmp_path, gathering=None, seed=0, **options):
    return Expert(
        upstream_dim=4,
        upstream_rate=320,
        downstream_expert={"measures": ["cca_mel"], **options},
        expdir=str(tmp_path / "out"),
        taps=TAPS,
        provenance=PROVENANCE,
        gathering=gathering,
        seed=seed,
        device="cpu",
        upstream="planted",  # one of the many arguments of s3prl's runner that mean nothing here
    )


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=1)


@pytest.fixture
def on_disk(corpus, tmp_path, monkeypatch):
    """The corpus with its audio written down, but for one utterance; `open_corpus` gives it."""
    utterances = tuple(replace(u, audio=tmp_path / f"{u.name}.wav") for u in corpus.utterances)
    for u in utterances[1:]:
        soundfile.write(u.audio, planted.waveform(u).numpy(), 16000, subtype="FLOAT")
    written = replace(corpus, utterances=utterances, skipped={"no speaker": ("elsewhere",)})
    monkeypatch.setattr(corpora, "open_corpus", lambda spec: {"manifest:here": written}[spec])
    return written


def test_a_pass_as_the_runner_makes_it(on_disk, tmp_path, capsys):
    made = expert(tmp_path, corpus="manifest:here")
    for waves, *others in made.get_dataloader("test"):
        (positions,) = others
        utterances = [on_disk.utterances[p] for p in positions]
        assert [len(w) for w in waves] == [len(planted.waveform(u)) for u in utterances]
        made("test", planted.states_of(utterances, TAPS, FEATURES), *others, records={}, batch_id=0)
    assert made.log_records("test", records={}, logger=None, global_step=0, batch_ids=[], total_batch_num=4) == []

    assert sorted(made.measures[0].counted.order) == [1, 2, 3, 4, 5, 6, 7]
    rows = results.read(tmp_path / "out")
    assert rows == made.rows
    assert [row.tap for row in rows] == ["a", "b"]
    assert rows[0].value == sum(planted.frames_at(u, TAPS[0]) for u in on_disk.utterances[1:])
    first = rows[0]
    assert (first.upstream, first.weights, first.corpus, first.corpus_kind) == (
        "planted",
        "random",
        "planted",
        "generated",
    )
    assert (first.downstream, first.folds, first.split_by, first.seed, first.stride) == ("cca", 4, "speaker", 0, 320)
    said = capsys.readouterr().out
    assert "[cca] planted (generated speech): 8 utterances of 8 speakers" in said
    assert "statistics take 0.00 GB" in said
    assert f"skipped 1: audio missing ({on_disk.utterances[0].name})" in said
    assert "skipped 1: no speaker (elsewhere)" in said


def test_analyses_of_a_suite_share_plan_and_statistics(corpus, tmp_path):
    first = expert(tmp_path, Gathering(Plan(corpus, seed=3)))
    second = expert(tmp_path, first.gathering)
    first("test", planted.states_of(corpus.utterances[:2], TAPS, FEATURES), [0, 1])
    assert first.measures[0].counted is second.measures[0].counted
    assert first.measures[0].counted.order == [0, 1]
    assert second.rows == []


def test_analyses_of_a_suite_that_disagree_are_refused(corpus, on_disk, tmp_path):
    plan = Plan(corpus, seed=0, split_by="utterance")
    with pytest.raises(UserError, match="split_by is 'auto', but another analysis of this suite set 'utterance'"):
        expert(tmp_path, Gathering(plan))
    first = expert(tmp_path, corpus="manifest:here")
    with pytest.raises(UserError, match="corpus is 'generated', but another analysis"):
        expert(tmp_path, first.gathering)


def test_statistics_that_do_not_fit_are_refused_together(corpus, tmp_path):
    gathering = Gathering(Plan(corpus, seed=0))
    expert(tmp_path, gathering, memory_limit_gb=0.0015)
    gathering.share("more", Counted)
    with pytest.raises(UserError, match=r"take 0\.00 GB, above 0\.00 GB; take fewer measures"):
        expert(tmp_path, gathering, memory_limit_gb=0.0015)


def test_states_of_other_taps_are_a_programming_error(corpus, tmp_path):
    made = expert(tmp_path, Gathering(Plan(corpus, seed=0)))
    states = planted.states_of(corpus.utterances[:1], TAPS[:1], FEATURES[:1])
    with pytest.raises(ValueError, match="taps"):
        made("test", states, [0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measures": ["cca_pone"]}, "there is no 'cca_pone'; did you mean 'cca_phone'"),
        ({"split": "auto"}, "unknown option 'split'.*did you mean"),
        ({"corpus": "manifest:here", "split_by": "gender"}, "split_by: 'gender' is not possible"),
    ],
)
def test_options_are_checked(on_disk, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        expert(tmp_path, **options)
