"""Planted results for the report page: models with blocks, intervals, refusals, tasks, weights and matrices."""

import fold_scores
import numpy as np

from s3prl_plugin import results
from s3prl_plugin.results import Row

FOLDS = 8
MEASURES = ("cca_phone", "mi_phone", "cka_phone", "cca_word", "mi_word", "cka_word", "cca_speaker", "mi_speaker",
            "cca_mel", "cka_mel")  # fmt: skip
SCORES = {"cca": "r2", "mi": "adjusted", "cka": "cka"}


def taps(count=15):
    """(tap, block, stride): a U-net of 20, 40 and 20 ms."""
    third = count // 3
    blocks = [("enc0", 320)] * third + [("mid", 640)] * (count - 2 * third) + [("dec0", 320)] * third
    return [(f"{block}.{'pre' if i == 0 or blocks[i - 1][0] != block else f'layer{i}'}", block, stride)
            for i, (block, stride) in enumerate(blocks)]  # fmt: skip


def layers(upstream, measure="cca_phone", count=15, best=7, height=0.5, seed=0, **changes):
    """Rows of one measure; the best tap is planted far above its neighbours, which are equal among themselves."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, (tap, block, stride) in enumerate(taps(count)):
        mean = height + 0.2 * (i == best)
        folds = mean + 0.01 * rng.standard_normal(FOLDS)
        score = SCORES[measure.split("_")[0]]
        fields = {
            "upstream": upstream,
            "checkpoint_sha256": "ab" * 32,
            "weights": "trained",
            "corpus": "spoken",
            "corpus_kind": "real",
            "downstream": measure.split("_")[0],
            "protocol": "default",
            "measure": measure,
            "score": score,
            "headline": True,
            "tap": tap,
            "tap_index": i,
            "block": block,
            "stride": stride,
            "n": 5000,
            "n_over_d": 12.5,
            "folds": FOLDS,
            "split_by": "speaker",
            "folds_id": "0123456789abcdef",
            "seed": 1,
            "chance": 0.0,
            **fold_scores.scored(folds, score),
            "versions": {"s3prl_plugin": "0.1.0"},
        }
        rows.append(Row(**{**fields, **changes}))
    return rows


def refused(rows, reason="too few segments: 3 rows per dimension, 5 wanted"):
    """The same rows without their numbers."""
    from dataclasses import replace

    nothing = {"value": None, "ci_low": None, "ci_high": None, "replicates": None, "per_fold": None}
    return [replace(row, refused=reason, **nothing) for row in rows]


def matrix(upstream, count=15, measure="cka_matrix", score="cka", **changes):
    """Every pair of taps: one less their distance."""
    common = {"upstream": upstream, "checkpoint_sha256": "ab" * 32, "weights": "trained", "corpus": "spoken", "seed": 1}
    return [
        Row(**{**common, "corpus_kind": "real", "measure": measure, "score": score, "tap": a, "tap_index": i,
               "block": block, "stride": stride, "tap2": b, "value": 1 - abs(i - j) / count, "n": 6000, **changes})
        for i, (a, block, stride) in enumerate(taps(count))
        for j, (b, _, _) in enumerate(taps(count))
    ]  # fmt: skip


def task(upstream, name="PR", score="per_71", value=0.1, seed=1, weights=True, count=15, **changes):
    """A task's score and what its weighted sum learned."""
    common = {"upstream": upstream, "checkpoint_sha256": "ab" * 32, "weights": "trained", "corpus": "spoken",
              "corpus_kind": "real", "measure": name, "seed": seed, "unit": "fraction",
              "features": "hidden_states"}  # fmt: skip
    rows = [Row(**{**common, "score": score, "headline": True, "value": value, "higher_is_better": score != "per_71",
                   **changes})]  # fmt: skip
    if weights:
        rows += [Row(**{**common, "score": "weight", "tap": tap, "tap_index": i, "block": block, "stride": stride,
                        "value": 1 / count, **changes})
                 for i, (tap, block, stride) in enumerate(taps(count))]  # fmt: skip
    return rows


def grid(upstream, **changes):
    """How many phones share a frame, at two resolutions."""
    common = {"upstream": upstream, "checkpoint_sha256": "ab" * 32, "weights": "trained", "corpus": "spoken", "n": 5000,
              "corpus_kind": "real", "measure": "grid_phone", "higher_is_better": False, "seed": 1}  # fmt: skip
    return [Row(**{**common, "score": score, "stride": stride, "value": 0.2 * stride / 640, **changes})
            for stride in (320, 640) for score in ("shared", "outside")]  # fmt: skip


def everything(upstream, measures=MEASURES, count=15, seed=0, **changes):
    """All that a model can have."""
    rows = [row for i, m in enumerate(measures) for row in layers(upstream, m, count, seed=seed + i, **changes)]
    rows += matrix(upstream, count, **changes) + grid(upstream, **changes)
    return rows + task(upstream, count=count, **changes)


def write(folder, rows, speakers=None):
    """A folder of results, and its folds where a number of speakers is given."""
    results.write(folder, rows)
    if speakers:
        lines = [f"u{i}\ts{i}\t{i % FOLDS}" for i in range(speakers)]
        (folder / "folds.tsv").write_text("\n".join(["utterance\tspeaker\tfold", *lines]) + "\n")
    return folder
