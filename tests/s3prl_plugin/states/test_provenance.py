"""What rows say of the upstream and of the versions."""

import argparse
import importlib.metadata

import pytest
import torch

from s3prl_plugin.compat import distributions
from s3prl_plugin.states import provenance


def test_the_versions_that_numbers_rest_on():
    versions = provenance.versions()
    assert versions["s3prl"] == str(distributions.find())
    assert versions["torch"] == importlib.metadata.version("torch")


class Described(torch.nn.Linear):
    """An upstream that tells about itself."""

    def __init__(self, **said):
        super().__init__(2, 2)
        self.said = said

    def describe(self):
        return {"macs_per_s": None, "waveform_normalisation": "none", **self.said}


@pytest.mark.parametrize(
    ("said", "init_ckpt", "expected"),
    [
        ({"weights": "trained", "pretraining": "LibriSpeech 960 h"}, None, "known"),
        ({"weights": "trained"}, None, "unknown"),
        ({}, None, "unknown"),
        ({"weights": "random"}, None, "none"),
        ({"weights": None}, None, "none"),
        # fine-tuning has heard its own corpus, too
        ({"weights": "trained", "pretraining": "LibriSpeech 960 h"}, "dev-best.ckpt", "unknown"),
    ],
)
def test_rows_say_whether_the_corpus_may_have_been_heard_in_training(said, init_ckpt, expected, monkeypatch):
    monkeypatch.setattr(provenance.tuned, "described", lambda described, _: described)
    args = argparse.Namespace(upstream="fbank", init_ckpt=init_ckpt)
    assert provenance.of_upstream(Described(**said), args)["training_data"] == expected
