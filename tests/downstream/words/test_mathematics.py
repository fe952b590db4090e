"""Average precision and correlations against scikit-learn, scipy and the oracle."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from s3prl_plugin.downstream.words import similarity
from s3prl_plugin.downstream.words.average_precision import RankedPairs, average_precision

ORACLE = Path(__file__).parents[2] / "data" / "abx"


@pytest.fixture(scope="module")
def oracle():
    with np.load(ORACLE / "words.npz") as file:
        content = {name: file[name] for name in file}
    return content, json.loads((ORACLE / "words.json").read_text())


def cosine_distances(vectors):
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return 1 - unit @ unit.T


@pytest.mark.parametrize("decimals", [None, 1])
def test_pairs_across_speakers(oracle, decimals):
    content, told = oracle
    distances = cosine_distances(content["vectors"])
    if decimals is not None:
        distances = distances.round(decimals)
    pairs = RankedPairs(distances, content["word"], content["speaker"])
    one, other = np.triu_indices(len(distances), 1)

    def wanted(kept):
        a, b = one[kept], other[kept]
        return average_precision_score(content["word"][a] == content["word"][b], -distances[a, b])

    across = content["speaker"][one] != content["speaker"][other]
    assert pairs.average_precision == pytest.approx(wanted(across), abs=1e-12)
    if decimals is None:
        assert pairs.average_precision == pytest.approx(told["average_precision"]["across_speakers_only"], abs=1e-9)
        assert pairs.positives / len(pairs) == pytest.approx(told["average_precision"]["chance_across"])
    speakers = np.unique(content["speaker"])
    for who, value in zip(speakers, pairs.without_each(speakers), strict=True):
        free = (content["speaker"][one] != who) & (content["speaker"][other] != who)
        assert value == pytest.approx(wanted(across & free), abs=1e-12)


def test_ties_of_the_oracle(oracle):
    content, told = oracle
    one, other = np.triu_indices(len(content["vectors"]), 1)
    distance = cosine_distances(content["vectors"])[one, other].round(1)
    order = np.argsort(distance, kind="stable")
    ends = np.append(np.diff(distance[order]) > 0, True)
    same = (content["word"][one] == content["word"][other])[order]
    assert average_precision(same, ends) == pytest.approx(told["average_precision"]["tied_all"], abs=1e-9)
    assert np.isnan(average_precision(np.zeros(3, dtype=bool), np.ones(3, dtype=bool)))


def test_word_similarity_of_the_oracle(oracle):
    content, told = oracle
    names = content["word"].astype(str).tolist()
    pairs = [(str(a), str(b), float(r)) for (a, b), r in zip(content["rating_pairs"], content["rating"], strict=True)]
    vectors = similarity.mean_vectors(content["vectors"], names, np.ones(len(names), dtype=bool))
    found = similarity.of_words(pairs, vectors)
    assert (~np.isnan(found)).sum() == told["wordsim"]["covered"]
    rho = similarity.correlation(found, np.array([r for _, _, r in pairs]))
    assert rho == pytest.approx(told["wordsim"]["spearman"], abs=1e-6)


def test_sentences_are_all_their_utterances():
    rng = np.random.default_rng(0)
    unit = rng.standard_normal((6, 4))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    said = {"a": [0, 1], "b": [2, 3, 4], "c": [5]}
    pairs = [("a", "b", 1.0), ("a", "c", 2.0), ("b", "c", 3.0), ("a", "nobody says", 4.0)]
    found = similarity.of_utterances(pairs, unit, said)
    wanted = [np.mean([unit[i] @ unit[j] for i in said[a] for j in said[b]]) for a, b, _ in pairs[:3]]
    assert found[:3] == pytest.approx(wanted)
    assert np.isnan(found[3])
    assert similarity.correlation(found, np.arange(4.0)) == pytest.approx(spearmanr(wanted, range(3)).statistic)
    assert np.isnan(similarity.correlation(found, np.ones(4)))
