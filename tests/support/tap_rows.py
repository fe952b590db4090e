"""Rows of layer-wise measures whose truth is planted: what every fold says of every tap is given."""

import fold_scores
import numpy as np

from s3prl_plugin.analysis import about
from s3prl_plugin.results import Row

# two layers per block at 20, 40, 20 ms: 9 state taps
TAPS = [f"{block}.{layer}" for block in ("enc0", "mid", "dec0") for layer in ("pre", "layer0", "layer1")]


def stride_of(tap):
    return 640 if tap.startswith("mid") else 320


def row(tap, index, per_fold, measure="cca_phone", **changes):
    """A row whose score is the mean over folds."""
    score = changes.pop("score", "r")
    known = about.everything().get(measure)
    fields = {
        "subset": known and known.subset,
        "control": known and known.control,
        "higher_is_better": known is None or known.direction == "higher",
        "upstream": "mr_hubert_local",
        "measure": measure,
        "score": score,
        "downstream": measure.partition("_")[0],
        "protocol": "default",
        "headline": True,
        "corpus": "c",
        "corpus_kind": "real",
        "weights": "trained",
        "folds_id": "f",
        "seed": 1,
        "folds": len(per_fold),
        "tap": tap,
        "tap_index": index,
        "block": tap.partition(".")[0],
        "stride": stride_of(tap),
        **fold_scores.scored(per_fold, score),
    }
    return Row(**{**fields, **changes})


def layers(means, measure="cca_phone", taps=None, seed=0, spread=0.002, common=0.03, folds=8, **changes):
    """A row per tap; folds have much in common, so differences are much surer than the scores themselves."""
    rng = np.random.default_rng(seed)
    shared = common * rng.standard_normal(folds)
    taps = taps or (TAPS if len(means) == len(TAPS) else [f"layer{i}" for i in range(len(means))])
    return [
        row(tap, i, mean + shared + spread * rng.standard_normal(folds), measure, **changes)
        for i, (tap, mean) in enumerate(zip(taps, means, strict=True))
    ]
