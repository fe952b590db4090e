"""Which phone or word a moment lies in."""

from __future__ import annotations

import numpy as np

from s3prl_plugin.analysis.planning.segments import Alignment


def cell_centres(moment: np.ndarray, stride: int) -> np.ndarray:
    """(n,) the centres of the cells that cover some moments, in half samples, so that they are exact.

    Cell i stands for the samples [i stride, (i + 1) stride); its centre is (i + 1/2) stride.

    Args:
        moment: (n,) samples.
        stride: of the cells, in samples.
    """
    return (2 * (moment // stride) + 1) * stride


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
