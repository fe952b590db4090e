"""cca_glove and its like: vectors that the layer has, vectors that it has not, words without one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.labels import label_moments
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.corpora.corpus import Corpus, Segment, Utterance
from s3prl_plugin.downstream.cca import r2
from s3prl_plugin.downstream.cca.default import cross_validate
from s3prl_plugin.downstream.cca.expert import DownstreamExpert
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.downstream.cca.word_vectors import _in_place_of_words
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TYPES, DIM = 120, 4
WORDS = [f"word{i:03d}" for i in range(TYPES)]
VECTORS = planted.generator("vectors").standard_normal((TYPES, DIM)) @ np.diag([1.0, 3.0, 0.2, 1.0]) + 2.0
TAPS = (Tap(0, "meaning", None, "m", 320, 10), Tap(1, "none", None, "n", 640, 10))


@pytest.fixture(scope="module")
def corpus():
    """9 speakers, 20 utterances each, 12 words of 80 to 160 ms in each."""
    utterances = []
    for s in range(9):
        for u in range(20):
            name = f"spk{s}_utt{u:02d}"
            draw = planted.generator("words", name)
            edges = 0.1 + np.concatenate([[0], np.cumsum(draw.integers(4, 9, 12) / 50)])
            said = draw.choice(WORDS, 12)
            words = tuple(Segment(str(w), a, b) for w, a, b in zip(said, edges[:-1], edges[1:], strict=True))
            utterances.append(Utterance(name, f"spk{s}", Path("none"), float(edges[-1] + 0.1), words=words))
    return Corpus("planted", "generated", tuple(utterances))


def meaning(utterance, tap, frames):
    """A linear map of the vector of the word at the middle of every frame, in noise."""
    middle = (np.arange(frames) + 0.5) * tap.stride / 16000
    vectors = np.zeros((frames, DIM))
    for word in utterance.words:
        vectors[(middle >= word.start_s) & (middle < word.end_s)] = VECTORS[WORDS.index(word.label)]
    return vectors @ planted.generator("map").standard_normal((DIM, 10)) + 0.1 * planted.noise(utterance, tap, frames)


def table(folder, vectors=VECTORS, words=WORDS, name="table.txt"):
    path = folder / name
    path.write_text("".join(f"{w} {' '.join(map(repr, v.tolist()))}\n" for w, v in zip(words, vectors, strict=True)))
    return str(path)


def expert(corpus, out, path, **options):
    given = {"measures": ["cca_glove"], "vectors": {"cca_glove": path}, **options}
    return DownstreamExpert(
        upstream_dim=10,
        upstream_rate=320,
        downstream_expert=given,
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )


def run(corpus, out, path, **options):
    made = expert(corpus, out, path, **options)
    planted.feed(made, (meaning, planted.noise))
    return planted.rows_of(made)


def test_vectors_that_the_layer_has_are_found(corpus, tmp_path):
    rows = run(corpus, tmp_path, table(tmp_path))
    found = rows["meaning", "cca_glove", "default", "r2"]
    assert found.value > 0.95
    assert found.chance < 0.3 < found.value
    nothing = rows["none", "cca_glove", "default", "r2"]
    assert nothing.ci_low < 0 < nothing.ci_high
    for row in rows.values():
        assert (row.tap2, row.permutations, row.grey, row.split_by) == ("table.txt", 5, None, "speaker")


def test_vectors_of_other_words_are_not(corpus, tmp_path):
    """The words that are scored were trained on, so that chance is above 0; nothing is above chance."""
    other = VECTORS[np.random.default_rng(1).permutation(TYPES)]
    row = run(corpus, tmp_path, table(tmp_path, other), permutations=20)["meaning", "cca_glove", "default", "r2"]
    assert row.value < row.chance_high + 0.05
    assert row.value == pytest.approx(row.chance, abs=0.12)


def test_the_scores_are_those_of_the_arrays(corpus, tmp_path):
    path = table(tmp_path, VECTORS[:100], WORDS[:100])
    made = expert(corpus, tmp_path, path, word_tokens=15, scores=["r", "pwcca"])
    planted.feed(made, (meaning, planted.noise))
    rows = planted.rows_of(made)
    means = made.measures[0].means
    sample = means.sample
    words = np.array(sample.classes)[sample.label]
    known = np.flatnonzero(np.isin(words, WORDS[:100]))
    assert 0 < len(known) < len(words)
    y = np.array([VECTORS[WORDS.index(word)] for word in words[known]])
    for tap in range(2):
        x, fold = means.means(tap, np.arange(len(sample)))[known], sample.fold[known]
        folds = [Moments.of(x[fold == f], y[fold == f]) for f in range(4)]
        scores = cross_validate(folds, DIM)
        expected = {"r2": r2.cross_validate(PairOfViews(folds)).value, "r": scores.r, "pwcca": scores.pwcca}
        for score, value in expected.items():
            row = rows[TAPS[tap].name, "cca_glove", "default", score]
            assert row.value == pytest.approx(value, abs=1e-9)
            assert row.n == len(known)


def test_moments_of_vectors_come_from_those_of_words():
    """Their mean too: the published scores depend on it."""
    draw = np.random.default_rng(0)
    x, label, vectors = draw.standard_normal((50, 3)), draw.integers(6, size=50), draw.standard_normal((6, 4)) + 9
    found = _in_place_of_words(label_moments(x, label, np.arange(6)), vectors)
    expected = Moments.of(x, vectors[label])
    for mine, theirs in (
        (found.y.mean, expected.y.mean),
        (found.y.scatter, expected.y.scatter),
        (found.xy, expected.xy),
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-10)
    assert found.n == expected.n == 50


def test_fewer_words_than_dimensions_score_as_words_do(corpus, tmp_path):
    """Vectors of 7 words in 30 dimensions span what their labels span: 6 directions; the row says so."""
    wide = np.random.default_rng(0).standard_normal((TYPES, 30))
    fewer = [replace(u, words=tuple(w for w in u.words if w.label in WORDS[:7])) for u in corpus.utterances]
    few = replace(corpus, utterances=tuple(fewer))
    measures = ["cca_word", "cca_glove"]
    rows = run(few, tmp_path, table(tmp_path, wide), measures=measures, scores=["r"])
    for score in ("r2", "r"):
        glove = rows["meaning", "cca_glove", "default", score]
        assert glove.value == pytest.approx(rows["meaning", "cca_word", "default", score].value, abs=1e-6)
        assert "7 words for vectors of 30 dimensions: any vectors of these words score the same" in glove.grey
        assert glove.chance == pytest.approx(glove.value, abs=1e-6)


def test_a_layer_too_small_for_the_vectors_cannot_reach_one(corpus, tmp_path):
    """Directions that the layer lacks count 0, whatever the vectors' rank."""
    doubled = np.hstack(
        [VECTORS, VECTORS[:, :1] + VECTORS[:, 1:2], np.random.default_rng(0).standard_normal((120, 12))]
    )
    row = run(corpus, tmp_path, table(tmp_path, doubled))["meaning", "cca_glove", "default", "r2"]
    assert row.value < 10 / 16  # of 17 columns one is the sum of two others


def test_coverage_is_said_before_the_pass(corpus, tmp_path, capsys):
    words = [word.capitalize() if i % 2 else word for i, word in enumerate(WORDS[: TYPES - 10])]
    expert(corpus, tmp_path, table(tmp_path, VECTORS[: TYPES - 10], words))
    said = capsys.readouterr().out
    assert "cca_glove: table.txt (110 words, 4 dimensions): " in said
    assert "of 1" in said
    assert "words matched in lower case" in said
    assert "left out: word11" in said
    assert "(15), ..." in said


def test_a_table_of_another_language_is_refused(corpus, tmp_path):
    rows = run(corpus, tmp_path, table(tmp_path, words=[f"mot{i}" for i in range(TYPES)]))
    assert all("table.txt has 0 of the 1" in row.refused for row in rows.values())


def test_several_tables_share_the_pass(corpus, tmp_path):
    paths = {"cca_glove": table(tmp_path), "cca_semantic": table(tmp_path, -VECTORS, name="other.txt")}
    made = expert(corpus, tmp_path, "", measures=["cca_word", *paths], vectors=paths)
    assert len(made.gathering.statistics) == 1
    planted.feed(made, (meaning, planted.noise))
    rows = planted.rows_of(made)
    # The sign of the vectors is an invertible map.
    values = [rows["meaning", measure, "default", "r2"].value for measure in paths]
    assert values[0] == pytest.approx(values[1], abs=1e-9)


def test_the_published_protocol_stands_beside_the_default_one(corpus, tmp_path):
    rows = run(corpus, tmp_path, table(tmp_path), protocol="both")
    published = rows["meaning", "cca_glove", "published", "pwcca"]
    assert published.value > 0.9
    assert (published.folds, published.tap2) == (10, "table.txt")
    assert abs(rows["none", "cca_glove", "published", "pwcca"].value) < 0.25


def test_a_corpus_without_words_is_refused(corpus, tmp_path):
    silent = replace(corpus, utterances=tuple(replace(u, words=()) for u in corpus.utterances))
    rows = run(silent, tmp_path, table(tmp_path), protocol="both")
    assert all("no word times" in row.refused for row in rows.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vectors": {}}, r"vectors names no table for cca_glove; write vectors: \{cca_glove: FILE\}"),
        ({"vectors": "glove.txt"}, r"vectors: 'glove.txt' is not possible; give \{cca_agwe, .*: text or null, ...\}"),
        ({"vectors": {"cca_glov": "x"}}, r"vectors: unknown key 'cca_glov'; did you mean 'cca_glove'"),
        ({"vectors": {"cca_glove": "x", "cca_agwe": "y"}}, r"cca_agwe, which is not among the measures; add it"),
        ({"vectors": {"cca_glove": "nowhere.txt"}}, r"nowhere\.txt: no such file"),
        ({"segment_weights": "hann"}, r"segment_weights: 'hann' is not possible"),
    ],
)
def test_options_are_checked(corpus, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        expert(corpus, tmp_path, table(tmp_path), **options)
