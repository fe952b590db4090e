"""Results folders of made-up models whose differences are known: what every fold says of every tap is drawn.

    planted = Planted(tmp_path, seed=1)
    planted.run("low", facts(), {"cca_word": {"mid": 0.6, "": 0.4}})

A score's truth is looked up by the tap's name, then by its block, then by "" (all others). Folds have much in common:
noise that all taps of all models share, a part that the taps of one model share, and a part of every row's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import fold_scores
import numpy as np

from s3prl_plugin import results
from s3prl_plugin.results import Row
from s3prl_plugin.states import pooling, upstream_facts
from s3prl_plugin.states.upstream_facts import Facts, Forward
from s3prl_plugin.upstream.mr_hubert import facts as told
from s3prl_plugin.upstream.mr_hubert import small

ONE_RATE = ((1, 1),)
SCORES = {"cca": "r2", "mi": "adjusted", "cka": "cka"}


def facts(
    ratios=((1, 2),),
    layers=(2, 2, 2),
    heads=2,
    sha="0",
    options: Mapping | None = None,
    weights="trained",
    macs=100e6,
    forward: Forward | None = None,
    plain_adapters=False,
    step=400000,
    **training,
) -> Facts:
    """What a run of such a checkpoint would write; `training` overrides or adds facts."""
    options = dict(options or {})
    config = small.small_config(dim=16, layers=layers, ratios=ratios, plain_adapters=plain_adapters)
    config = replace(config, middle_residual=bool(ratios))  # without a change of rate, a plain HuBERT
    taps = config.taps()
    if "pool_to" in options:
        taps = pooling.pool_taps(taps, pooling.parse(options["pool_to"]))
    auxiliary = heads > 1
    said = {
        "train_step": step,
        "prediction_heads": heads,
        "auxiliary_loss": auxiliary,
        "auxiliary_loss_from": "heads",
        "loss_weights": told.loss_weights(config, auxiliary),
        "single_prediction": not auxiliary,
        "single_target": True,
        "label_rate": 50.0,
        "unit_iteration": 3,
        "pretraining": "some speech",
    }
    random = bool(options.get("random_weights"))
    named = ",".join(f"{key}={value}" for key, value in sorted(options.items()))
    return Facts(
        upstream="entry" + (f"[{named}]" if named else ""),
        checkpoint_sha256=sha * (64 // len(sha)),
        weights="random" if random else weights,
        train_step=0 if random else step,
        params=10**6,
        macs_per_s=macs,
        options=options,
        taps=tuple(taps),
        architecture=told.architecture(config),
        training=None if random else {**said, **training},
        forward=forward,
    )


class Planted:
    """Writes folders of planted results.

    Args:
        folder: under which they are written.
        seed: of all noise.
        folds: how many.
        common, of_model, own: standard deviations of a fold's noise, in what a fold says.
        fields: of every row.
    """

    def __init__(self, folder: Path, seed=0, folds=8, common=0.03, of_model=0.0, own=0.01, **fields):
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.folds, self.of_model, self.own = folds, of_model, own
        self.shared = common * self.rng.standard_normal(folds)
        base = {"corpus": "planted", "corpus_kind": "real", "speakers": 50, "folds_id": "f", "seed": 1}
        self.fields = {**base, **fields}

    def run(self, name: str, facts: Facts | None, truths: Mapping[str, Mapping[str, float]], more=(), **fields) -> Path:
        """Write a run: `truths` are measure -> tap, block or "" -> true score; "cca_word/centre" names the segments."""
        rows = self.rows(facts, truths, **fields) if facts else []
        folder = self.folder / name
        results.write(folder, [*rows, *more])
        if facts is not None:
            upstream_facts.write(folder, facts)
        return folder

    def rows(self, facts: Facts, truths: Mapping[str, Mapping[str, float]], **fields) -> list[Row]:
        """The rows of one model."""
        of_model = self.of_model * self.rng.standard_normal(self.folds)
        found = []
        for key, said in truths.items():
            measure, _, segments = key.partition("/")
            for tap in facts.taps:
                truth = said.get(tap.name, said.get(tap.block or "", said.get("")))
                if truth is None:
                    continue
                score = SCORES[measure.partition("_")[0]]
                noise = self.shared + of_model + self.own * self.rng.standard_normal(self.folds)
                where = {"tap": tap.name, "tap_index": tap.index, "block": tap.block, "stride": tap.stride}
                what = {"measure": measure, "score": score, "segments": segments or None}
                found.append(row(truth + noise, **{**about(facts), **self.fields, **where, **what, **fields}))
        return found


def about(facts: Facts) -> dict:
    """What rows say of an upstream."""
    return {"upstream": facts.upstream, "checkpoint_sha256": facts.checkpoint_sha256, "weights": facts.weights}


def row(per_fold: Sequence[float], score="r2", **fields) -> Row:
    """A row whose score is the mean over folds of what each one says."""
    said = fold_scores.scored(per_fold, score)
    fixed = {"protocol": "default", "headline": True, "score": score, "folds_id": "f"}
    return Row(**{"upstream": "u", "measure": "cca_word", **said, **fixed, **fields})


def task_rows(facts: Facts, task: str, scores: Mapping[int, float], score="accuracy", **fields) -> list[Row]:
    """A task's rows: seed of the head -> score."""
    better = score not in ("per_71", "wer")
    said = {"corpus": "a real one", "corpus_kind": "real", "features": "hidden_states", "split": "test"}
    what = {"measure": task, "score": score, "headline": True, "higher_is_better": better, "unit": "fraction"}
    return [Row(**{**about(facts), **said, **what, "seed": seed, "value": value, **fields})
            for seed, value in scores.items()]  # fmt: skip


def forward(seconds_per_second=0.01, noise=0.0, seed=0, **fields) -> Forward:
    """A measurement over ten groups of batches."""
    draw = np.random.default_rng(seed).standard_normal(10)
    groups = tuple((60.0, float(60 * seconds_per_second * np.exp(noise * each))) for each in draw)
    said = {"batches": 100, "batch_size": 8, "device": "cpu", "device_name": "a processor", "threads": 1}
    return Forward(**{"groups": groups, **said, **fields})
