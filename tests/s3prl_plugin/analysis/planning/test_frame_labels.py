from dataclasses import replace
from fractions import Fraction

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.planning.labels import cell_centres, segment_at
from s3prl_plugin.analysis.planning.segments import Alignment
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.strides import frame_at


@pytest.fixture(scope="module")
def utterances():
    """Six utterances, one without phones; of another, phones overlap and leave a gap."""
    found = list(planted.corpus(speakers=6, per_speaker=1).utterances)
    found[2] = replace(found[2], phones=())
    overlapping = (Segment("a", 0.0, 0.5), Segment("b", 0.2, 0.3), Segment("c", 0.25, 0.3), Segment("d", 0.6, 1.0))
    found[4] = replace(found[4], phones=overlapping)
    return found


@pytest.mark.parametrize("stride", [160, 320, 1280, 333, Fraction(640, 3), Fraction(81920, 441)])
def test_it_is_the_definition(utterances, stride):
    rng = np.random.default_rng(int(stride))
    utterance = np.sort(rng.integers(0, 6, 300))
    moment = rng.integers(0, 60_000, 300)
    alignment = Alignment.of(utterances, "phone")
    found = segment_at(alignment, utterance, cell_centres(frame_at(moment, stride), stride))
    unlabelled = 0
    for u, m, row in zip(utterance, moment, found, strict=True):
        centre = (int(m) // stride + Fraction(1, 2)) * stride
        covering = [
            i
            for i in range(len(alignment))
            if alignment.utterance[i] == u and alignment.start[i] <= centre < alignment.end[i]
        ]
        assert row == (max(covering, key=lambda i: alignment.start[i]) if covering else -1)
        unlabelled += not covering
    assert 0 < unlabelled < 300


def test_a_corpus_without_phones_labels_nothing():
    utterances = planted.corpus(phones=False).utterances
    found = segment_at(Alignment.of(utterances, "phone"), np.arange(8), np.zeros(8))
    assert (found == -1).all()
