"""Segments as their one central frame: what only that frame knows is found, and what the others know is not."""

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.mi.expert import DownstreamExpert
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "centre", "enc0", "pre", 320, 6), Tap(1, "elsewhere", "enc0", "out", 320, 6))


def coded(utterance, tap, frames, central):
    """The word as a one-hot code in its central frame, or in all frames but that one; noise in the others."""
    rows = 0.1 * planted.noise(utterance, tap, frames)
    for word in utterance.words:
        middle = int((word.start_s + word.end_s) / 2 * 16000 // tap.stride)
        for i in range(int(word.start_s * 16000 // tap.stride), int(word.end_s * 16000 // tap.stride)):
            if (i == middle) == central:
                rows[i] += 10 * np.eye(tap.dim)[planted.WORDS.index(word.label)]
    return rows


FEATURES = tuple(lambda u, tap, n, c=c: coded(u, tap, n, c) for c in (True, False))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    corpus = planted.corpus(speakers=8, per_speaker=8)
    made = DownstreamExpert(
        upstream_dim=6,
        upstream_rate=320,
        downstream_expert={"measures": ["mi_word"], "segment_weights": ["frames", "centre"], "seeds": 2},
        expdir=str(tmp_path_factory.mktemp("out")),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    planted.feed(made, FEATURES)
    made.log_records("test")
    return {(row.tap, row.segments): row for row in made.rows if row.score == "adjusted"}


def test_the_central_frame_alone_counts(rows):
    assert rows["centre", "centre"].value == pytest.approx(1.0, abs=1e-6)
    nothing = rows["elsewhere", "centre"]
    assert nothing.ci_low < 0 < nothing.ci_high


def test_the_mean_of_all_frames_stands_beside_it(rows):
    assert rows["elsewhere", None].value > 0.9
    assert rows["centre", None].value > 0.5  # a tenth of the mean
    assert rows["centre", None].n == rows["centre", "centre"].n
