"""What the names of a model's training data and of a corpus say of each other."""

import pytest
from page_rows import layers, write

from s3prl_plugin.report.page import methods, models
from s3prl_plugin.states.training_data import of_corpus
from s3prl_plugin.upstream.mr_hubert import variants


@pytest.mark.parametrize(
    ("said", "pretraining", "corpus", "split", "expected"),
    [
        ("none", None, "timit", None, "none"),
        (None, None, "timit", None, None),
        ("unknown", None, "timit", None, "unknown"),
        ("known", "LibriSpeech 960 h", "timit-test", None, "not_heard"),
        ("known", "LibriSpeech 960 h", "timit_sample[utterances=4]", None, "not_heard"),
        ("known", "LibriSpeech 960 h", "librispeech-train-clean-100", None, "heard"),
        ("known", "LibriSpeech 960 h", "librispeech-dev-clean", None, "other_part"),
        ("known", "LibriSpeech 960 h", "LibriSpeech", "test-clean", "other_part"),
        ("known", "LibriSpeech 960 h", "LibriSpeech", "train", "heard"),
        ("known", "LibriSpeech, all of it", "librispeech-dev-clean", None, "heard"),
        ("known", "Libri-Light 60 kh", "librispeech-dev-clean", None, "unknown"),  # both are of LibriVox
        ("known", "Multilingual LibriSpeech", "librispeech-dev-clean", None, "unknown"),
        ("known", "VoxPopuli 100 kh", "VoxCeleb1", "test", "not_heard"),
        ("known", "LibriSpeech 960 h", "my_recordings", None, "unknown"),  # which may be a copy of anything
        ("known", "all that we had", "timit", None, "unknown"),
        ("known", "generated speech (12 voices)", "generated", None, "heard"),
        ("known", "timit:/data/TIMIT", "timit", None, "heard"),
        # fine-tuned, on what is not known
        ("unknown", "LibriSpeech 960 h", "librispeech-train-clean-100", None, "heard"),
        ("unknown", "LibriSpeech 960 h", "librispeech-dev-clean", None, "unknown"),
        ("unknown", "LibriSpeech 960 h", "timit", None, "unknown"),
    ],
)
def test_a_corpus_is_found_by_its_name(said, pretraining, corpus, split, expected):
    assert of_corpus(said, pretraining, corpus, split) == expected


def test_the_data_of_every_published_checkpoint_is_known_by_name():
    data = {variants.variant(name).data for name in variants.names()} - {None}
    assert len(data) >= 3
    assert {of_corpus("known", each, "timit") for each in data} == {"not_heard"}


def test_the_page_says_it(tmp_path):
    heard = write(tmp_path / "a", layers("one", training_data="heard"))
    may = write(tmp_path / "b", layers("two", training_data="unknown"))
    no = write(tmp_path / "c", layers("three", training_data="not_heard"))
    found = models.read([heard, may, no])
    text = " ".join(methods.sentences(found, [row for model in found for row in model.rows]))
    assert "one heard spoken in training." in text
    assert "two may have heard spoken in training" in text
    assert "three" not in text.partition("heard")[2]
