"""Results rows with a known truth: what tests of reports over several runs have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import fold_scores
import numpy as np

from s3prl_plugin import results
from s3prl_plugin.results import Row

FOLDS = 8
TWO_RATES = (
    *(("enc0", name, 320) for name in ("pre", "layer0", "layer1")),
    *(("mid", name, 640) for name in ("pre", "layer0", "layer1")),
    *(("dec0", name, 320) for name in ("pre", "layer0", "layer1")),
    *((None, name, stride) for name, stride in (("res_out0", 640), ("res_out1", 320))),
)
SCORES = {"cca": "r2", "mi": "adjusted", "rank": "participation_ratio"}


def row(measure: str, place: int, per_fold: Sequence[float], taps: Sequence[Any] = TWO_RATES, **changes: Any) -> Row:
    """A row whose score is the mean over folds of what each one says."""
    block, name, stride = taps[place]
    score = SCORES[measure.split("_")[0]]
    fields = {
        "upstream": "mr_hubert_local",
        "measure": measure,
        "score": score,
        "protocol": "default",
        "headline": True,
        "corpus": "planted",
        "corpus_kind": "generated",
        "weights": "trained",
        "folds": len(per_fold),
        "folds_id": "f",
        "seed": 1337,
        "tap": f"{block}.{name}" if block else name,
        "tap_index": place,
        "block": block,
        "stride": stride,
        **fold_scores.scored(per_fold, score),
    }
    return Row(**{**fields, **changes})


def network(
    measure: str,
    means: Sequence[float],
    rng: np.random.Generator,
    common: float = 0.02,
    own: float = 0.005,
    taps: Sequence[tuple[Any, ...]] = TWO_RATES,
    **changes: Any,
) -> list[Row]:
    """One measure of a network, a row per tap; folds differ by what all taps have in common and by noise of their own.

    Args:
        means: what the folds' numbers scatter about.
    """
    shared = common * rng.standard_normal(FOLDS)
    return [
        row(measure, place, mean + shared + own * rng.standard_normal(FOLDS), taps, **changes)
        for place, mean in enumerate(means)
    ]


def write(folder: Path, rows: Sequence[Row]) -> Path:
    """A folder with these results."""
    results.write(folder, rows)
    return folder


Course = Callable[[float], Mapping[str, Sequence[float]]]


def study(root: Path, name: str, updates: Sequence[int], course: Course, seed: int = 0, **changes: Any) -> list[Path]:
    """The folders of a study over the checkpoints of one run.

    Args:
        root: gets `{name}_checkpoint_{update}`.
        course: the means of every measure at a share of the training, from 0 to 1.
    """
    rng = np.random.default_rng(seed)
    folders = []
    for update in updates:
        rows = [
            each
            for measure, means in course(update / max(updates)).items()
            for each in network(measure, means, rng, train_step=update, **changes)
        ]
        folders.append(write(root / f"{name}_checkpoint_{update}", rows))
    return folders
