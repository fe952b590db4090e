"""Queries and what holds them, by brute force, and as s3prl reads the lists."""

from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora.generated.layouts import quesst14
from s3prl_plugin.errors import UserError


@pytest.fixture
def corpus(talk):
    return talk(8, 6)


@pytest.fixture
def root(corpus, tmp_path):
    return quesst14.write(corpus, tmp_path / "out")


def source(file, corpus):
    """The utterance whose audio a document is."""
    content = soundfile.read(file, dtype="int16")[0].tobytes()
    (found,) = [u for u in corpus.utterances if soundfile.read(u.audio, dtype="int16")[0].tobytes() == content]
    return found


def cut_from(file, corpus):
    """The utterance and word that a query is."""
    samples = soundfile.read(file, dtype="int16")[0]
    for utterance in corpus.utterances:
        whole = soundfile.read(utterance.audio, dtype="int16")[0]
        for word in utterance.words:
            if np.array_equal(samples, whole[round(word.start_s * 16000) : round(word.end_s * 16000)]):
                return utterance, word
    raise AssertionError(file)


@pytest.mark.parametrize("part", quesst14.PARTS)
def test_the_truth_is_which_documents_hold_the_word(root, corpus, part):
    documents = {file.stem: source(file, corpus) for file in (root / "Audio").glob("*.wav")}
    truth = root / "scoring" / f"groundtruth_quesst14_{part}"
    listed = set()
    for line in (truth / f"quesst14_{part}.rttm").read_text().splitlines():
        kind, document, _, _, _, query, *_ = line.split()
        assert kind == "LEXEME"
        listed.add((query, document))
    queries = {file.stem: cut_from(file, corpus) for file in (root / f"{part}_queries").glob("*.wav")}
    assert listed == {
        (query, name)
        for query, (_, word) in queries.items()
        for name, document in documents.items()
        if word.label in {said.label for said in document.words}
    }
    terms = {
        term.attrib["termid"]: term[0].text
        for term in ElementTree.parse(truth / f"quesst14_{part}.tlist.xml").iter("term")
    }
    assert terms == {query: word.label for query, (_, word) in queries.items()}
    excerpts = ElementTree.parse(truth / f"quesst14_{part}.ecf.xml").iter("excerpt")
    assert {excerpt.attrib["audio_filename"].removesuffix(".wav") for excerpt in excerpts} == set(documents)


def test_who_asks_is_not_searched_and_parts_ask_for_different_words(root, corpus):
    searched = {source(file, corpus).speaker for file in (root / "Audio").glob("*.wav")}
    asked = [cut_from(file, corpus) for file in root.glob("*_queries/*.wav")]
    assert not searched & {utterance.speaker for utterance, _ in asked}
    words = [word.label for _, word in asked]
    assert len(set(words)) == len(words) >= 4


def test_s3prl_finds_every_file(root, registered):
    from s3prl.downstream.quesst14_dtw.dataset import QUESST14Dataset

    for part in quesst14.PARTS:
        dataset = QUESST14Dataset(part, dataset_root=root)
        assert dataset.n_docs == len(list((root / "Audio").glob("*.wav")))
        assert dataset.n_queries == len(list((root / f"{part}_queries").glob("*.wav")))
        assert all(path.is_file() for path in dataset.data)


def test_a_corpus_without_words_is_refused(talk, tmp_path):
    with pytest.raises(UserError, match="query by example needs a larger corpus"):
        quesst14.write(talk(words=()), tmp_path / "out")
