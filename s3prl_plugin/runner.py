"""s3prl's Runner, with two abilities more: it feeds every tap to an analysis, and it runs a suite.

Everything else (training, evaluation, checkpoints, flags) is s3prl's own code.
"""

from __future__ import annotations

import argparse
import copy
import importlib
from functools import partial
from pathlib import Path
from typing import Any

import torch
from s3prl.downstream.runner import ModelEntry
from s3prl.downstream.runner import Runner as StockRunner

from s3prl_plugin import foreign, provenance, results, superb
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.compat.s3prl import running
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.featurizer import StatesFeaturizer
from s3prl_plugin.random_state import RandomState
from s3prl_plugin.taps import States


class Runner(StockRunner):
    """Runs one downstream, or a suite of them, on one upstream.

    Args:
        args: s3prl's command-line arguments.
        config: the configuration of the run.
        upstream: an upstream that is loaded already, and the random state that stood right after it was loaded; a
            task of a suite then draws the very numbers that it draws when it runs alone.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        config: dict[str, Any],
        upstream: tuple[ModelEntry, RandomState] | None = None,
    ):
        config.setdefault("runner", {})
        self._given_upstream = upstream
        self._running = partial(running, args.downstream, args.device, Path(args.expdir) / ".cache")
        with self._running():
            super().__init__(args, config)

    def _get_upstream(self) -> ModelEntry:
        """The upstream, loaded once; remembers the random state right after."""
        if self._given_upstream is None:
            entry = self._load_upstream()
            self.after_upstream = RandomState.capture()
            return entry
        entry, self.after_upstream = self._given_upstream
        self.after_upstream.restore()
        entry.model.eval()
        return entry

    def _load_upstream(self) -> ModelEntry:
        """The upstream; one that is not ours can still have a grid or random weights by `-g`."""
        asked = foreign.requested(self.args.upstream, self.args.upstream_model_config)
        if asked is None:
            return super()._get_upstream()
        with replaced(self.args, upstream_model_config=None), asked.loading(self.args.upstream):
            entry = super()._get_upstream()
        entry.model = asked.applied(entry.model, self.args.device)
        return entry

    def _get_featurizer(self) -> ModelEntry:
        """All taps for an analysis, s3prl's weighted sum for everything else."""
        expert = importlib.import_module(f"s3prl.downstream.{self.args.downstream}.expert").DownstreamExpert
        if getattr(expert, "takes_states", False):
            featurizer = StatesFeaturizer(self.upstream.model, self.args.device)
            return self._init_model(featurizer, "Featurizer", trainable=False)
        try:
            entry = super()._get_featurizer()
        except (IndexError, AssertionError) as error:
            raise UserError(
                f"-l {self.args.upstream_layer_selection}: {error}; count the layers of -s from 0"
            ) from None
        wanted = self.args.upstream_feature_selection
        if entry.model.feature_selection != wanted:
            keys = self.upstream.model([torch.randn(16000, device=self.args.device)])
            raise UserError(f"-s {wanted}: {self.args.upstream} does not return it; {did_you_mean(wanted, keys)}")
        return entry

    def _get_downstream(self) -> ModelEntry:
        """An analysis is told the taps and where they come from; s3prl's own downstreams know nothing of it."""
        if not isinstance(self.featurizer.model, StatesFeaturizer):
            return super()._get_downstream()
        expert = importlib.import_module(f"s3prl.downstream.{self.args.downstream}.expert").DownstreamExpert
        model = expert(
            upstream_dim=self.featurizer.model.output_dim,
            upstream_rate=self.featurizer.model.downsample_rate,
            taps=self.featurizer.model.taps,
            provenance=provenance.of_upstream(self.upstream.model, self.args),
            **self.config,
            **vars(self.args),
        )
        return self._init_model(model, "Downstream", trainable=False)

    def train(self) -> None:
        """Train s3prl's downstream, or run all of a suite: the analyses in one pass, then task after task.

        Raises:
            UserError: an analysis has nothing to train.
        """
        if "suite" not in self.config:
            if isinstance(self.featurizer.model, StatesFeaturizer):
                raise UserError(f"-m train: -d {self.args.downstream} has nothing to train; use -m evaluate")
            with self._running():
                super().train()
            return
        tasks = self._prepared()
        if self.downstream.model.analyses:
            self.evaluate()
        for task, corpus, settings, record in tasks:
            if not record.finished:
                steps = settings["runner"].get("total_steps", 0)
                print(f"[suite] {task.name}: {task.title}, {steps} steps of training, then {task.split}", flush=True)
                superb.run(task, settings, record, self)
            provided = provenance.of_upstream(self.upstream.model, self.args)
            results.write(self.args.expdir, superb.rows(task, record, provided, corpus))

    def evaluate(self, *args: Any, **kwargs: Any) -> list[str]:
        """Score one split, or run an analysis; s3prl's own, where its downstreams find what they need."""
        with self._running():
            if isinstance(self.featurizer.model, StatesFeaturizer):
                self._analyse()
                return []
            return super().evaluate(*args, **kwargs)

    def _analyse(self) -> None:
        """Run an analysis, or all analyses of a suite, in one pass over its corpus."""
        upstream = self.upstream.model.eval()

        def states_of(waveforms: list[torch.Tensor]) -> States:
            with torch.no_grad():
                return self.featurizer.model(waveforms, upstream(waveforms))

        self.downstream.model.analyse(states_of, provenance.weights_id(upstream))

    def _prepared(self) -> list[tuple[superb.Task, superb.TaskCorpus, dict[str, Any], superb.Record]]:
        """Everything about a suite's tasks that can go wrong before hours of work; what costs least comes first."""
        prepared = []
        for task, options, spec in superb.asked(self.config["suite"]):
            corpus = superb.prepare(task, spec, Path(self.args.expdir) / "data")
            settings = task.settings(options, corpus)
            task.check(settings, corpus)
            record = superb.Record.open(Path(self.args.expdir) / task.name, settings, self._what_decides_a_score())
            prepared.append((task, corpus, settings, record))
        return prepared

    def task_runner(
        self,
        task: superb.Task,
        settings: dict[str, Any],
        folder: Path,
        checkpoint: Path | None = None,
        layer: int | None = None,
    ) -> Runner:
        """A runner for one task that shares this runner's upstream (a fine-tuned one is loaded anew).

        Args:
            task: what is run.
            settings: its configuration.
            folder: where it leaves its checkpoints and files.
            checkpoint: of its own, to go on from or to be scored.
            layer: the only one it is to see, in place of what `-l` says.
        """
        args = argparse.Namespace(**vars(self.args))
        args.downstream = task.downstream
        args.downstream_variant = None
        args.expdir = str(folder)
        args.init_ckpt = str(checkpoint) if checkpoint else None
        if layer is not None:
            args.upstream_layer_selection = layer
        shared = None if args.upstream_trainable else (self.upstream, self.after_upstream)
        return Runner(args, copy.deepcopy(settings), shared)

    def layers(self) -> list[int]:
        """The layers of `-s` that a task may be run on, one by one; the one of `-l` where that is given."""
        if self.args.upstream_layer_selection is not None:
            return [self.args.upstream_layer_selection]
        with torch.no_grad():
            states = self.upstream.model([torch.randn(16000, device=self.args.device)])
        found = states[self.args.upstream_feature_selection]
        return [0] if isinstance(found, torch.Tensor) else list(range(len(found)))

    def _what_decides_a_score(self) -> dict[str, Any]:
        """What decides a task's score besides its settings."""
        args = self.args
        upstream = provenance.of_upstream(self.upstream.model, args)
        return {
            "upstream": [upstream["upstream"], upstream["checkpoint_sha256"], args.upstream_trainable],
            "features": [args.upstream_feature_selection, args.upstream_layer_selection],
            "normalize": args.upstream_feature_normalize,
            "seed": args.seed,
        }
