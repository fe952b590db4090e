"""s3prl's Runner, with two abilities more: it feeds every tap to an analysis, and it runs a suite.

Everything else (training, evaluation, checkpoints, flags) is s3prl's own code.
"""

from __future__ import annotations

import argparse
import copy
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from s3prl.downstream.runner import ModelEntry
from s3prl.downstream.runner import Runner as StockRunner

from s3prl_plugin import ranks, registry
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.compat.s3prl import running
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.files.difference import first_difference
from s3prl_plugin.random_state import RandomState
from s3prl_plugin.report import ending
from s3prl_plugin.running import fine_tuning, going_on
from s3prl_plugin.running.progress import Progress
from s3prl_plugin.running.suite import Suite
from s3prl_plugin.states import foreign, provenance, tap_selection, tuned, upstream_facts, upstream_files
from s3prl_plugin.states.featurizer import StatesFeaturizer
from s3prl_plugin.states.forward_time import ForwardTime
from s3prl_plugin.states.taps import SAMPLE_RATE, States
from s3prl_plugin.states.upstream_facts import Forward
from s3prl_plugin.store.suite import TaskStore
from s3prl_plugin.store.upstream import StoredUpstream

KEPT = "upstream_identity"  # the argument under which checkpoints say on what they were trained


class Runner(StockRunner):
    """Runs one downstream, or a suite of them, on one upstream.

    Args:
        args: s3prl's command-line arguments.
        config: the configuration of the run.
        upstream: an upstream that is loaded already, and the random state that stood right after it was loaded; a
            task of a suite then draws the same numbers that it draws when it runs alone.
        store: stands in front of that upstream and keeps its features.

    Attributes:
        progress: of a suite, where its display has begun before this runner is made.
        status: the exit status: 1 where something of a suite failed, else 0.
    """

    progress: Progress | None = None
    status = 0

    def __init__(
        self,
        args: argparse.Namespace,
        config: dict[str, Any],
        upstream: tuple[ModelEntry, RandomState] | None = None,
        store: TaskStore | None = None,
    ):
        config.setdefault("runner", {})
        self._given_upstream = upstream
        self._store = store
        self._running = partial(running, args.downstream, args.device, Path(args.expdir) / ".cache")
        with self._running():
            super().__init__(args, config)
        self._place = going_on.TrainingPlace(args.seed, self.init_ckpt)
        if not isinstance(self.featurizer.model, StatesFeaturizer):
            self._place.watch(self.downstream.model)
        if isinstance(self.upstream.model, StoredUpstream):
            self.upstream.model.watch(self.downstream.model)

    def _get_upstream(self) -> ModelEntry:
        """The upstream, loaded once; remembers the random state right after."""
        if self._given_upstream is None:
            entry = self._load_upstream()
            fine_tuning.check_upstream(entry.model, self.args.upstream_trainable)
            self._check_resumed(entry.model)
            self.after_upstream = RandomState.capture()
            return entry
        entry, self.after_upstream = self._given_upstream
        if self._store is not None:
            entry = copy.copy(entry)
            entry.model = self._store.in_front_of(entry.model, self.args)
        self.after_upstream.restore()
        entry.model.eval()
        return entry

    def _check_resumed(self, model: torch.nn.Module) -> None:
        """Refuse to take up, by -e or -a, a head that was trained on another upstream; one that was tuned is in there.

        s3prl keeps a run's arguments in its checkpoints, so what the upstream is goes with them.
        """
        before: dict[str, Any] | None = getattr(self.args, KEPT, None)
        found = self._upstream_identity(model)
        difference = None if before is None or "Upstream" in self.init_ckpt else first_difference(before, found)
        if difference:
            raise UserError(
                f"{self.args.init_ckpt}: its head was trained on another upstream: {difference}; put back what -k and "
                "-g named, or train anew in another folder"
            )
        setattr(self.args, KEPT, found)

    def _load_upstream(self) -> ModelEntry:
        """The upstream; one that is not ours can still have a grid or random weights by `-g`."""
        asked = foreign.requested(self.args.upstream, self.args.upstream_model_config)
        with upstream_files.loading(self.args.upstream, self.args.upstream_ckpt) as loading:
            if asked is None:
                entry = super()._get_upstream()
            else:
                with replaced(self.args, upstream_model_config=None), asked.loading(self.args.upstream):
                    entry = super()._get_upstream()
        loading.check(entry.model)
        if asked is None:
            return entry
        entry.model = asked.applied(entry.model, self.args.device)
        return entry

    def _load_weight(self, model: torch.nn.Module, name: str) -> None:
        """What a checkpoint (-i) holds of a part; an analysis, or a suite, takes a tuned upstream from it."""
        if not self._takes_states:
            try:
                super()._load_weight(model, name)
            except RuntimeError as error:  # torch's, of names and shapes
                said = " ".join(str(error).split())[:150]
                raise UserError(
                    f"-i {self.args.init_ckpt}: its {name} does not fit that of this run ({said})"
                ) from error
        elif name == tuned.KEY and self.init_ckpt:
            tuned.load(model, self.init_ckpt, self.args)

    @property
    def _takes_states(self) -> bool:
        """Whether this is an analysis or a suite, which sees all taps of the upstream."""
        expert = registry.expert(self.args.downstream)
        return getattr(expert, "takes_states", False)

    def _get_featurizer(self) -> ModelEntry:
        """All taps for an analysis, s3prl's weighted sum for everything else."""
        if self._takes_states:
            featurizer = StatesFeaturizer(self.upstream.model, self.args.device)
            return self._init_model(featurizer, "Featurizer", trainable=False)
        try:
            entry = super()._get_featurizer()
        except (IndexError, AssertionError) as error:
            raise UserError(
                f"-l {self.args.upstream_layer_selection}: {error}; count the layers of -s from 0"
            ) from None
        wanted = self.args.upstream_feature_selection
        featurizer = getattr(entry.model, "module", entry.model)  # of DistributedDataParallel
        if featurizer.feature_selection != wanted:
            keys = self.upstream.model([torch.randn(16000, device=self.args.device)])
            raise UserError(f"-s {wanted}: {self.args.upstream} does not return it; {did_you_mean(wanted, keys)}")
        return entry

    def _get_downstream(self) -> ModelEntry:
        """An analysis is told the taps and where they come from; s3prl's own downstreams know nothing of it."""
        if not isinstance(self.featurizer.model, StatesFeaturizer):
            return super()._get_downstream()
        expert = registry.expert(self.args.downstream)
        model = expert(
            upstream_dim=self.featurizer.model.output_dim,
            upstream_rate=self.featurizer.model.downsample_rate,
            taps=self.featurizer.model.taps,
            selected=self._selected_taps(),
            provenance=provenance.of_upstream(self.upstream.model, self.args),
            **self.config,
            **vars(self.args),
        )
        return self._init_model(model, "Downstream", trainable=False)

    def _selected_taps(self) -> list[str] | None:
        """The taps that `-s` and `-l` mean, for the analyses there are; None for all."""
        args, suite = self.args, self.config.get("suite")
        if suite is None and args.upstream_feature_normalize:
            raise UserError("--upstream_feature_normalize: an analysis measures states as they are; leave it out")
        key, layer = args.upstream_feature_selection, args.upstream_layer_selection
        if (key == tap_selection.ALL and layer is None) or (suite is not None and not suite.get("analyses")):
            return None
        noise = [torch.randn(SAMPLE_RATE, generator=torch.Generator().manual_seed(0)).to(args.device)]
        with torch.no_grad():
            features = self.upstream.model.eval()(noise)
        return tap_selection.by_flags(features, self.featurizer.model(noise, features), key, layer)

    def train(self) -> None:
        """Train s3prl's downstream, or run all of a suite.

        Raises:
            UserError: an analysis has nothing to train.
        """
        if "suite" not in self.config:
            if isinstance(self.featurizer.model, StatesFeaturizer):
                raise UserError(f"-m train: -d {self.args.downstream} has nothing to train; use -m evaluate")
            with self._running(), self._place.kept():
                super().train()
            return
        self._write_facts(None)
        with nullcontext(self.progress) if self.progress else Progress(self.args.expdir) as progress:
            self.status = Suite(self, progress).run()

    def evaluate(self, *args: Any, **kwargs: Any) -> list[str]:
        """Score one split, or run an analysis; s3prl's own, where its downstreams find what they need."""
        with self._running():
            if isinstance(self.featurizer.model, StatesFeaturizer):
                self._analyse()
                return []
            return super().evaluate(*args, **kwargs)

    def _upstream_identity(self, model: torch.nn.Module) -> dict[str, Any]:
        """Which upstream this is, for what is kept of it."""
        args = self.args
        return provenance.identity(model, args.upstream, args.upstream_ckpt, args.upstream_model_config)

    def _analyse(self) -> None:
        """Run an analysis, or all analyses of a suite, in one pass over its corpus."""
        upstream = self.upstream.model.eval()
        forward = ForwardTime(self.args.device)

        def states_of(waveforms: list[torch.Tensor]) -> States:
            with torch.no_grad():
                return forward.of(partial(self.featurizer.model.of, upstream), waveforms)

        self.downstream.model.analyse(states_of, self._upstream_identity(upstream))
        self._write_facts(forward.found())
        if "suite" not in self.config and ranks.leads():
            print(ending.of_analysis(self.args.expdir, self.args.downstream), flush=True)

    def _write_facts(self, forward: Forward | None) -> None:
        """What the upstream is, beside the results."""
        if ranks.leads():
            model = self.upstream.model
            provided = provenance.of_upstream(model, self.args)
            identity = self._upstream_identity(model)
            facts = upstream_facts.of_upstream(model, provided, self.featurizer.model.taps, forward, identity)
            upstream_facts.write(self.args.expdir, facts)
