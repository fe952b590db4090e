"""`-d words` on planted corpora, against scikit-learn and scipy on means that are made by hand."""

import numpy as np
import planted
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.words import similarity
from s3prl_plugin.downstream.words.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "enc0.pre", "enc0", "pre", 320, 8), Tap(1, "mid.layer0", "mid", "layer0", 1280, 8))


def wordy(utterance, tap, frames):
    """(T, D): the word at every frame's centre, and noise."""
    middle = (np.arange(frames) + 0.5) * tap.stride / 16000
    code = planted.generator("words", tap.name).standard_normal((len(planted.WORDS), tap.dim))
    found = planted.noise(utterance, tap, frames)
    for word in utterance.words:
        found[(middle >= word.start_s) & (middle < word.end_s)] += code[planted.WORDS.index(word.label)]
    return found


FEATURES = (wordy, planted.noise)


def expert(corpus, out, **options):
    return DownstreamExpert(
        upstream_dim=8,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )


def rows_of(made):
    made.log_records("test", records={}, logger=None, global_step=0)
    return {(row.tap, row.measure, row.score, row.tap2): row for row in made.rows}


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=6, per_speaker=4, phones_each=18)


def means(corpus, tap, feature):
    """(N, D) of all words with a frame at all rates, by hand; and their labels and speakers."""
    rows, labels, speakers = [], [], []
    for utterance in corpus.utterances:
        frames = feature(utterance, tap, planted.frames_at(utterance, tap))
        for word in utterance.words:
            start, end = round(word.start_s * 16000), round(word.end_s * 16000)
            inside = [i for i in range(len(frames)) if start <= (i + 0.5) * tap.stride <= end]
            assert inside
            rows.append(frames[inside].astype(np.float32).astype(np.float64).mean(axis=0))
            labels.append(word.label)
            speakers.append(utterance.speaker)
    return np.array(rows), np.array(labels), np.array(speakers)


def test_average_precision_of_all_words_across_speakers(corpus, tmp_path):
    made = expert(corpus, tmp_path, word_tokens=None, sampled_words=None)
    planted.feed(made, FEATURES, batch_size=5)
    found = rows_of(made)
    for tap, feature in zip(TAPS, FEATURES, strict=True):
        vectors, label, speaker = means(corpus, tap, feature)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        one, other = np.triu_indices(len(vectors), 1)
        across = speaker[one] != speaker[other]
        one, other = one[across], other[across]
        same = label[one] == label[other]
        row = found[tap.name, "awd_word", "average_precision", None]
        assert row.value == pytest.approx(average_precision_score(same, (unit @ unit.T)[one, other]), abs=1e-5)
        assert (row.n, row.chance) == (len(same), pytest.approx(same.mean()))
        assert row.headline
        assert len(row.replicates) == 6
    assert found["enc0.pre", "awd_word", "average_precision", None].ci_low > 0.8
    noise = found["mid.layer0", "awd_word", "average_precision", None]
    assert noise.ci_low - 0.02 < noise.chance < noise.ci_high + 0.02


def test_distance_along_paths_and_draws(corpus, tmp_path):
    made = expert(corpus, tmp_path, dtw=True, word_tokens=2, sampled_words=30)
    planted.feed(made, FEATURES)
    row = rows_of(made)["enc0.pre", "awd_word", "average_precision", None]
    assert row.value > 2 * row.chance
    assert len(made.measures[0].drawn) == 30


def test_words_against_ratings(corpus, tmp_path, capsys):
    vectors, label, _ = means(corpus, TAPS[0], wordy)
    centres = {word: vectors[label == word].mean(axis=0) for word in planted.WORDS}
    listed = [(a, b) for a in planted.WORDS for b in planted.WORDS if a != b] + [("one", "absent")]
    rated = planted.generator("ratings").integers(0, 10, len(listed))
    (tmp_path / "a.txt").write_text("word1,word2,score\n" + "".join(
        f"{a.upper()},{b},{r}\n" for (a, b), r in zip(listed, rated, strict=True)
    ))  # fmt: skip
    (tmp_path / "few.tsv").write_text("one\ttwo\t1\nnone\tof\t2\n")
    made = expert(
        corpus, tmp_path, measures=["wordsim"], instances=None,
        wordsim_ratings=[str(tmp_path / "a.txt"), str(tmp_path / "few.tsv")],
    )  # fmt: skip
    said = "".join(capsys.readouterr())
    assert f"wordsim: {len(listed) - 1} of {len(listed)} rated pairs of a.txt are in the corpus" in said
    planted.feed(made, FEATURES)
    found = rows_of(made)
    cosines = [
        centres[a] @ centres[b] / np.linalg.norm(centres[a]) / np.linalg.norm(centres[b]) for a, b in listed[:-1]
    ]
    wanted = spearmanr(np.round(cosines, 5), rated[:-1]).statistic
    for score, name in (("macro", None), ("micro", None), ("spearman", "a.txt")):
        row = found["enc0.pre", "wordsim", score, name]
        assert row.value == pytest.approx(wanted, abs=0.01)
        assert (row.n, row.headline) == (12, score == "macro")
        assert row.chance_low < 0 < row.chance_high
    assert "1 of 2 rated pairs" in found["enc0.pre", "wordsim", "spearman", "few.tsv"].refused
    assert list(made.reads) == [str(tmp_path / "a.txt"), str(tmp_path / "few.tsv")]


def test_sentences_against_ratings(corpus, tmp_path):
    names = [u.name for u in corpus.utterances[:8]]
    sentences = [corpus.utterances[i].sentence for i in range(8, 12)]
    listed = [(a, b) for a in names for b in sentences]
    rated = planted.generator("sts").random(len(listed))
    (tmp_path / "sts.tsv").write_text("".join(f"{a}\t{b}\t{r}\n" for (a, b), r in zip(listed, rated, strict=True)))
    made = expert(corpus, tmp_path, measures=["sts"], sts_ratings=str(tmp_path / "sts.tsv"))
    assert made.plan.needed.tolist() == list(range(12))
    planted.feed(made, FEATURES)
    row = rows_of(made)["enc0.pre", "sts", "macro", None]
    vectors = {}
    for utterance in corpus.utterances[:12]:
        mean = wordy(utterance, TAPS[0], planted.frames_at(utterance, TAPS[0])).mean(axis=0)
        vectors[utterance.name] = vectors[utterance.sentence] = mean / np.linalg.norm(mean)
    wanted = spearmanr([vectors[a] @ vectors[b] for a, b in listed], rated).statistic
    assert row.value == pytest.approx(wanted, abs=0.01)


def test_what_cannot_be_compared_says_so(corpus, tmp_path):
    cases = [(planted.corpus(1, 8), "one speaker"), (planted.corpus(6, 4, words=False), "no word times")]
    for number, (some, said) in enumerate(cases):
        made = expert(some, tmp_path / str(number))
        planted.feed(made, FEATURES)
        assert said in rows_of(made)["enc0.pre", "awd_word", "average_precision", None].refused
    with pytest.raises(UserError, match="wordsim_ratings is None; it must be a file of ratings"):
        expert(corpus, tmp_path, measures=["wordsim"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no rated pairs"),
        ("a b\n", "line 1"),
        ("a b 1\na b nan\n", "line 2"),
        ("h1 h2 h3\n", "no rated pairs"),
    ],
)
def test_files_that_hold_no_ratings(tmp_path, text, said):
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(UserError, match=said):
        similarity.read_ratings(tmp_path / "bad.txt", of_words=True)
    with pytest.raises(UserError, match=r"missing\.txt: these ratings cannot be read"):
        similarity.read_ratings(tmp_path / "missing.txt", of_words=True)
