from dataclasses import replace

import numpy as np
import planted
import pytest
import torch

from s3prl_plugin import results
from s3prl_plugin.analysis.information import mutual_information as information
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.downstream.mi.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 12),
    Tap(1, "mid.out", "mid", "out", 640, 12),
    Tap(2, "dec0.out", "dec0", "out", 320, 12),
)
PHONETIC = (planted.phonetic(0.01), planted.phonetic(0.3), planted.noise)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=12, per_speaker=10)


def expert(corpus, out, taps=TAPS, seed=0, **options):
    return DownstreamExpert(
        upstream_dim=12,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=taps,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, seed)),
    )


def run(corpus, out, features=PHONETIC, batch_size=8, **options):
    made = expert(corpus, out, **options)
    planted.feed(made, features, batch_size)
    return planted.rows_of(made)


def merged(utterance, tap, frames):
    """Features that tell vowels from consonants, and nothing else."""
    vowel = np.isin(planted.phone_at(utterance, tap.stride, frames), [0, 1, 2])
    return np.where(vowel, 5.0, -5.0)[:, None] + 1e-3 * planted.noise(utterance, tap, frames)


def test_what_is_planted_is_found_on_the_scored_half(corpus, tmp_path):
    made = expert(corpus, tmp_path, measures=["mi_phone"])
    planted.feed(made, PHONETIC)
    rows = planted.rows_of(made)
    sample = made.measures[0].means.sample
    label = sample.label[~made.plan.trains(sample.fold)]
    entropy = information.label_entropy(label)
    for score, value in (("adjusted", 1.0), ("mi_over_h", 1.0), ("mi_nats", entropy)):
        assert rows["enc0.pre", "mi_phone", "default", score].value == pytest.approx(value, abs=1e-6)
    assert 0.7 < rows["mid.out", "mi_phone", "default", "adjusted"].value < 1
    nothing = rows["dec0.out", "mi_phone", "default", "adjusted"]
    assert nothing.ci_low < 0 < nothing.ci_high
    for row in rows.values():
        assert row.n == len(label)
        assert row.clusters == information.choose_clusters(len(label), 6, entropy)
        assert row.headline == (row.score == "adjusted")
        assert (row.unit == "nats") == (row.score == "mi_nats")
    assert len(rows) == 3 * 4


def test_features_that_merge_classes_inform_about_what_they_tell_apart(corpus, tmp_path):
    made = expert(corpus, tmp_path, measures=["mi_phone"], clusters=2)
    planted.feed(made, (merged, merged, planted.noise))
    row = planted.rows_of(made)["enc0.pre", "mi_phone", "default", "mi_nats"]
    sample = made.measures[0].means.sample
    label = sample.label[~made.plan.trains(sample.fold)]
    vowel = np.isin(np.array(sample.classes)[label], ["aa", "iy", "uw"])
    assert row.value == pytest.approx(information.label_entropy(vowel), abs=1e-6)
    assert row.clusters == 2


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_clusters_are_learned_on_the_other_half(corpus, tmp_path):
    made = expert(corpus, tmp_path, measures=["mi_phone"], clusters=6)
    fold_of = dict(zip((u.name for u in corpus.utterances), made.plan.folds.of_utterance, strict=True))

    def blank_in_training(utterance, tap, frames):
        return PHONETIC[0](utterance, tap, frames) * (not made.plan.trains(fold_of[utterance.name]))

    planted.feed(made, (blank_in_training,) * 3)
    for row in planted.rows_of(made).values():
        if row.score == "whitened":
            assert "do not vary" in row.refused
        else:
            assert row.value == pytest.approx(0.0, abs=1e-9)


def test_shuffled_labels_give_nothing(corpus, tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.permutation([s.label for u in corpus.utterances for s in u.phones if s.label != "sil"]).tolist()

    def relabelled(utterance):
        phones = (s if s.label == "sil" else Segment(labels.pop(), s.start_s, s.end_s) for s in utterance.phones)
        return replace(utterance, phones=tuple(phones))

    originals = {u.name: u for u in corpus.utterances}
    shuffled = replace(corpus, utterances=tuple(relabelled(u) for u in corpus.utterances))
    features = [lambda u, tap, n, f=f: f(originals[u.name], tap, n) for f in PHONETIC]
    rows = run(shuffled, tmp_path, features, measures=["mi_phone"])
    for tap in TAPS:
        row = rows[tap.name, "mi_phone", "default", "adjusted"]
        assert row.ci_low < 0 < row.ci_high
        uncorrected = rows[tap.name, "mi_phone", "default", "mi_over_h"]
        assert uncorrected.value > 0.03
        assert uncorrected.value == pytest.approx(uncorrected.chance, abs=0.02)


def test_two_runs_are_bit_identical_whatever_the_batch_size(corpus, tmp_path):
    for name, batch_size in (("a", 8), ("b", 8), ("c", 1)):
        run(corpus, tmp_path / name, batch_size=batch_size)
    first = (tmp_path / "a" / results.FILE_NAME).read_bytes()
    assert first == (tmp_path / "b" / results.FILE_NAME).read_bytes()
    assert first == (tmp_path / "c" / results.FILE_NAME).read_bytes()


def test_several_seeds_are_averaged(corpus, tmp_path):
    scores = [
        run(corpus, tmp_path, measures=["mi_phone"], seeds=n)["mid.out", "mi_phone", "default", "adjusted"]
        for n in (1, 2)
    ]
    assert scores[0].value != scores[1].value
    assert scores[0].value == pytest.approx(scores[1].value, abs=0.05)
    assert scores[1].ci_low < scores[1].value < scores[1].ci_high


def test_the_published_protocol_stands_beside_the_default_one(corpus, tmp_path):
    rows = run(corpus, tmp_path, protocol="both")
    phones = rows["enc0.pre", "mi_phone", "published", "mi_over_h"]
    assert (phones.clusters, phones.headline) == (500, True)
    assert phones.value > 0.999
    assert phones.chance > 0.1
    assert rows["enc0.pre", "mi_phone", "default", "mi_over_h"].clusters < 500
    assert "for 5000 clusters" in rows["enc0.pre", "mi_word", "published", "mi_over_h"].refused


def test_what_cannot_be_told_from_chance_is_refused_or_grey(corpus, tmp_path):
    def of_four(utterance):
        """Every word in four kinds, so that a cluster for each of 176 segments is far beyond what is allowed."""
        words = (replace(word, label=f"{word.label}{i % 4}") for i, word in enumerate(utterance.words))
        return replace(utterance, words=tuple(words))

    many = replace(corpus, utterances=tuple(of_four(u) for u in corpus.utterances))
    refused = run(many, tmp_path, measures=["mi_word"], word_tokens_per_half=11, clusters=176)
    assert "near chance" in refused["dec0.out", "mi_word", "default", "adjusted"].refused
    grey = run(corpus, tmp_path, measures=["mi_word"], word_tokens_per_half=50, clusters=90)
    assert "independent clusters" in grey["dec0.out", "mi_word", "default", "adjusted"].grey


def test_a_corpus_without_words_is_refused_in_so_many_words(tmp_path):
    rows = run(planted.corpus(words=False, per_speaker=8), tmp_path, protocol="both")
    words = [row for row in rows.values() if row.measure == "mi_word"]
    assert len(words) == 3 * 5
    assert all("no word times" in row.refused for row in words)
    assert rows["enc0.pre", "mi_phone", "default", "adjusted"].value > 0.99


def test_a_single_speaker_has_a_number_and_no_interval(tmp_path):
    rows = run(planted.corpus(speakers=1, per_speaker=40), tmp_path, measures=["mi_phone"])
    row = rows["enc0.pre", "mi_phone", "default", "adjusted"]
    assert row.value > 0.99
    assert (row.ci_low, row.split_by) == (None, "utterance")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": 1}, "clusters: 1 is not possible"),
        ({"seeds": 0}, "seeds: 0 is not possible"),
        ({"intervals": "fast"}, "intervals: 'fast' is not possible"),
        ({"measures": ["mi_phones"]}, "there is no 'mi_phones'; did you mean 'mi_phone'"),
        ({"phone_tokens": 30}, "unknown option 'phone_tokens'"),
    ],
)
def test_options_are_checked(corpus, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        expert(corpus, tmp_path, **options)


def test_scores_are_the_same_bits_in_any_number_of_threads(corpus, tmp_path, monkeypatch):
    found = []
    for threads in (1, 3):
        out = tmp_path / str(threads)
        made = expert(corpus, out, measures=["mi_phone", "mi_word"], clusters=10, control=["duration"])
        planted.feed(made, PHONETIC)
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        made.log_records("test")
        found.append((out / results.FILE_NAME).read_bytes())
    assert found[0] == found[1]
