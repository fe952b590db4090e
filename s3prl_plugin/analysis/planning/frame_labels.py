"""Which phone or word a moment lies in."""

from __future__ import annotations

import numpy as np

from s3prl_plugin.analysis.planning.segments import Alignment
from s3prl_plugin.strides import Stride


def cell_centres(cell: np.ndarray, stride: Stride) -> np.ndarray:
    """(n,) the centres of some cells, in half samples: whole numbers where the stride is one.

    Cell i stands for the samples [i stride, (i + 1) stride); its centre is (i + 1/2) stride. The centre of one of a
    stride that is a fraction is rounded once, which moves none to or over a whole number of half samples.

    Args:
        cell: (n,) their numbers.
        stride: of the cells, in samples.
    """
    centres = (2 * cell + 1) * stride.numerator
    return centres if stride.denominator == 1 else centres / stride.denominator


def segment_at(alignment: Alignment, utterance: np.ndarray, half_samples: np.ndarray) -> np.ndarray:
    """The segment that every moment lies in.

    Args:
        alignment: all phones or words of the corpus.
        utterance: (n,) positions in the corpus.
        half_samples: (n,) moments, in half samples from the start of the utterance.

    Returns:
        (n,) positions in `alignment`: start <= moment < end, the one that starts last where several do; -1 for none.
    """
    found = np.full(len(utterance), -1)
    for position in np.unique(utterance):
        start, stop = alignment.offsets[position : position + 2]
        if start == stop:
            continue
        mine = np.flatnonzero(utterance == position)
        moment = half_samples[mine, None]
        inside = (moment >= 2 * alignment.start[start:stop]) & (moment < 2 * alignment.end[start:stop])
        last = stop - 1 - inside[:, ::-1].argmax(axis=1)
        found[mine] = np.where(inside.any(axis=1), last, -1)
    return found
