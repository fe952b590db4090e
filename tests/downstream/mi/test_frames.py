"""mi_frames: planted truth, the grid, silence, chance at the level of segments, refusals."""

from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.purity import SCORES
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.downstream.mi.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

FINE = Tap(0, "enc0.pre", "enc0", "pre", 320, 6)
COARSE = Tap(1, "mid.out", "mid", "out", 640, 6)
OTHER = Tap(2, "enc0.out", "enc0", "out", 320, 6)
ALL = pytest.approx(1, abs=0.01)  # rounding decides which phone the features have where one ends at a frame's centre


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(per_speaker=8)


def expert(corpus, out, taps, **options):
    return DownstreamExpert(
        upstream_dim=6,
        upstream_rate=320,
        downstream_expert={"measures": ["mi_frames"], "frame_clusters": 20, **options},
        expdir=str(out),
        taps=taps,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )


def run(corpus, out, taps, features, batch_size=8, **options):
    made = expert(corpus, out, taps, **options)
    planted.feed(made, features, batch_size)
    made.log_records("test", records={}, logger=None, global_step=0)
    return {(row.tap, row.subset, row.score): row for row in made.rows if row.measure == "mi_frames"}


def test_what_is_planted_is_found(corpus, tmp_path):
    rows = run(corpus, tmp_path, (FINE, OTHER), (planted.phonetic(0.01), planted.noise))
    assert len(rows) == 2 * 2 * 3
    for subset in (None, "speech"):
        for score in ("pnmi", "phone_purity"):
            assert rows["enc0.pre", subset, score].value == ALL
            nothing = rows["enc0.out", subset, score]
            assert nothing.value == pytest.approx(nothing.chance, abs=0.03)
            assert nothing.ci_low < nothing.chance < nothing.ci_high
            assert nothing.chance < nothing.chance_high < 1
        for score in SCORES:
            row = rows["enc0.pre", subset, score]
            assert row.headline == (score == "pnmi")
            assert (row.clusters, row.frame_stride, row.number("seeds"), row.permutations) == (20, 320, 1, 20)
            assert len(row.replicates) == 4  # the speakers of the scored folds


def test_with_one_cluster_per_phone_all_three_are_one(corpus, tmp_path):
    def apart(utterance, tap, frames):
        """Phones far apart on a line, silence too."""
        phone = planted.phone_at(utterance, tap.stride, frames)
        return (1.0 * (phone[:, None] == np.arange(-1, 5))) + 1e-3 * planted.noise(utterance, tap, frames)

    rows = run(corpus, tmp_path, (FINE,), (apart,), frame_clusters=7)
    assert [rows["enc0.pre", None, score].value for score in SCORES] == [ALL, ALL, ALL]


def test_frames_are_counted_as_defined(corpus, tmp_path):
    made = expert(corpus, tmp_path, (FINE, COARSE))
    planted.feed(made, (planted.noise, planted.noise))
    made.log_records("test", records={}, logger=None, global_step=0)
    (reservoir,) = made.gathering.statistics.values()
    counts = {None: 0, "speech": 0}
    for utterance, moment in zip(reservoir.utterance, reservoir.moment, strict=True):
        if made.plan.trains(made.plan.folds.of_utterance[utterance]):
            continue
        centre_s = (moment // 640 + 0.5) * 640 / 16000
        at = [p.label for p in corpus.utterances[utterance].phones if p.start_s <= centre_s < p.end_s]
        counts[None] += bool(at)
        counts["speech"] += bool(at) and at[-1] != "sil"
    assert 0 < counts["speech"] < counts[None]
    for row in made.rows:
        assert row.n == counts[row.subset]


@pytest.mark.parametrize(("silence", "subsets"), [("with", {None}), ("without", {"speech"})])
def test_silence_is_counted_as_asked(corpus, tmp_path, silence, subsets):
    rows = run(corpus, tmp_path, (FINE,), (planted.phonetic(0.3),), silence=silence)
    both = run(corpus, tmp_path / "both", (FINE,), (planted.phonetic(0.3),))
    assert {subset for _, subset, _ in rows} == subsets
    for key, row in rows.items():
        assert replace(row, options_id=None) == replace(both[key], options_id=None)


def test_the_same_content_at_another_rate_scores_the_same(corpus, tmp_path):
    fine = planted.phonetic(0.5)

    def paired(utterance, tap, frames):
        """Means of pairs of the fine tap's frames."""
        source = fine(utterance, FINE, planted.frames_at(utterance, FINE))
        return np.array([source[i : i + 2].mean(axis=0) for i in range(0, len(source), 2)])

    rows = run(corpus, tmp_path, (FINE, COARSE), (fine, paired))
    own_rate = run(corpus, tmp_path / "fine", (FINE,), (fine,))
    for subset in (None, "speech"):
        for score in SCORES:
            a, b = rows["enc0.pre", subset, score], rows["mid.out", subset, score]
            assert a.value == pytest.approx(b.value, abs=0.01)  # rounding may move a frame to another cluster
            assert (a.frame_stride, b.frame_stride, a.n) == (640, 640, b.n)
        assert abs(own_rate["enc0.pre", subset, "pnmi"].value - rows["enc0.pre", subset, "pnmi"].value) > 0.03


def test_a_grid_may_be_given(corpus, tmp_path):
    features = (planted.phonetic(0.3),)
    at_80 = run(corpus, tmp_path, (FINE,), features, frame_ms=80)
    assert {row.frame_stride for row in at_80.values()} == {1280}
    run(corpus, tmp_path, (FINE,), features)
    assert {row.frame_stride for row in results.read(tmp_path) if row.measure == "mi_frames"} == {320, 1280}


def test_chance_keeps_the_frames_of_a_segment_together(tmp_path):
    """Features that know the segment and not its phone: above what frames alone give by chance, not above chance."""
    stretched = planted.corpus(per_speaker=6, phones_each=12)

    def slow(utterance):
        phones = tuple(Segment(p.label, 4 * p.start_s, 4 * p.end_s) for p in utterance.phones)
        return replace(utterance, phones=phones, words=(), duration_s=4 * utterance.duration_s)

    corpus = replace(stretched, utterances=tuple(slow(u) for u in stretched.utterances))

    def of_segment(utterance, tap, frames):
        """One of 20 codes per segment."""
        middle = (np.arange(frames) + 0.5) * tap.stride / 16000
        ends = np.array([p.end_s for p in utterance.phones])
        code = planted.generator("codes", utterance.name).integers(0, 20, len(ends) + 1)
        table = planted.generator("points").standard_normal((20, tap.dim))
        return table[code[np.searchsorted(ends, middle, side="right")]]

    rows = run(corpus, tmp_path, (FINE, OTHER), (of_segment, planted.noise), silence="with")
    segments, frames = rows["enc0.pre", None, "pnmi"], rows["enc0.out", None, "pnmi"]
    assert segments.chance > 2 * frames.chance
    assert segments.value == pytest.approx(segments.chance, abs=0.04)
    assert segments.value > 2 * frames.value


@pytest.mark.filterwarnings("error")
def test_clusters_are_learned_on_the_other_half(corpus, tmp_path):
    made = expert(corpus, tmp_path, (FINE,))
    fold_of = dict(zip((u.name for u in corpus.utterances), made.plan.folds.of_utterance, strict=True))

    def blank_in_training(utterance, tap, frames):
        return planted.phonetic(0.01)(utterance, tap, frames) * (not made.plan.trains(fold_of[utterance.name]))

    planted.feed(made, (blank_in_training,))
    made.log_records("test", records={}, logger=None, global_step=0)
    for row in made.rows:
        if row.measure == "mi_frames" and row.score == "pnmi":
            assert row.value == pytest.approx(0, abs=1e-12)


def test_texts_that_all_speakers_say_are_left_out(tmp_path, capsys):
    made = expert(planted.corpus(per_speaker=8, shared_sentence=True), tmp_path, (FINE,))
    planted.feed(made, (planted.noise,))
    made.log_records("test", records={}, logger=None, global_step=0)
    (reservoir,) = made.gathering.statistics.values()
    shared = np.isin(reservoir.utterance, np.flatnonzero(made.plan.folds.left_out))
    assert f"{shared.sum()} of shared texts" in capsys.readouterr().out
    expected = (~shared & ~made.plan.trains(reservoir.fold)).sum()
    assert [row.n for row in made.rows if row.tap and not row.subset] == [expected] * 3


def test_two_runs_are_bit_identical_whatever_the_batch_size(corpus, tmp_path):
    for name, batch_size in (("a", 8), ("b", 3)):
        run(corpus, tmp_path / name, (FINE, COARSE), [planted.phonetic(0.3)] * 2, batch_size)
    files = [(tmp_path / name / results.FILE_NAME).read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]


def test_several_seeds_are_averaged_and_their_spread_is_told(corpus, tmp_path):
    alone = [
        run(corpus, tmp_path / str(i), (FINE,), (planted.phonetic(0.5),), seeds=i)["enc0.pre", None, "pnmi"]
        for i in (1, 2)
    ]
    single, both = alone
    second = 2 * both.value - single.value
    assert (single.number("seeds"), single.number("seed_sd"), both.number("seeds")) == (1, None, 2)
    assert both.number("seed_sd") == pytest.approx(abs(single.value - second) / np.sqrt(2))
    assert 0 < both.number("seed_sd") < 0.1


def test_refusals_say_why(corpus, tmp_path):
    unlabelled = run(planted.corpus(phones=False), tmp_path / "a", (FINE,), (planted.noise,))
    assert len(unlabelled) == 6
    assert all("no phone times" in row.refused for row in unlabelled.values())
    too_many = run(corpus, tmp_path / "b", (FINE,), (planted.noise,), frame_clusters=2000)
    assert all("training frames for 2000 clusters" in row.refused for row in too_many.values())
    by_chance = run(corpus, tmp_path / "c", (FINE,), (planted.noise,), frame_clusters=1000)
    assert all("near chance" in row.refused for row in by_chance.values())


def test_one_phone_alone_is_refused_and_silence_with_it_is_not(corpus, tmp_path):
    def only_aa(utterance):
        phones = tuple(Segment("sil" if p.label == "sil" else "aa", p.start_s, p.end_s) for p in utterance.phones)
        return replace(utterance, phones=phones)

    one_phone = replace(corpus, utterances=tuple(only_aa(u) for u in corpus.utterances))
    rows = run(one_phone, tmp_path, (FINE,), (planted.noise,), frame_clusters=2)
    assert rows["enc0.pre", None, "pnmi"].value is not None
    assert "1 phones" in rows["enc0.pre", "speech", "pnmi"].refused


def test_a_single_speaker_has_numbers_and_no_intervals(tmp_path):
    rows = run(planted.corpus(speakers=1, per_speaker=40), tmp_path, (FINE,), (planted.phonetic(0.01),))
    row = rows["enc0.pre", None, "pnmi"]
    assert row.value == ALL
    assert (row.ci_low, row.replicates) == (None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame_ms": 0.01}, "frame_ms is 0.01; it must be a whole number of samples"),
        ({"frame_ms": -20}, "frame_ms: -20 is not possible"),
        ({"frame_clusters": 1}, "frame_clusters: 1 is not possible"),
        ({"frame_permutations": 0}, "frame_permutations: 0 is not possible"),
        ({"silence": "no"}, "silence: 'no' is not possible"),
        ({"sampled_frames": 0}, "sampled_frames: 0 is not possible"),
    ],
)
def test_options_are_checked(corpus, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        expert(corpus, tmp_path, (FINE,), **options)
