"""The runs that a study consists of: the analyses of every upstream first, then the tasks, upstream by upstream.

What costs minutes comes before what costs days, and whatever is wrong with an upstream shows in the first round. The
seeds of one upstream follow each other, so that they can share its stored features, which are then removed. Each has a
process and a folder of its own, and can be repeated by hand.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from s3prl_plugin import registry, results
from s3prl_plugin.analysis.defaults import shared_options
from s3prl_plugin.config import remote_code
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs.mark import Mark
from s3prl_plugin.plugins import plugin_flag
from s3prl_plugin.study.plan import Study, StudyUpstream

STORE = "store"  # of an upstream's features, in its folder

# s3prl's arguments that every run gets as they are: those that decide what comes out, and the others.
DECISIVE = {
    "upstream_trainable": "-f",
    "upstream_feature_selection": "-s",
    "upstream_layer_selection": "-l",
    "upstream_feature_normalize": "--upstream_feature_normalize",
}
PASSED_ON = {
    "device": "--device",
    "cache_dir": "--cache_dir",
    "verbose": "--verbose",
    "disable_cudnn": "--disable_cudnn",
}
# Those that would say something else than the study does, and what says it.
REFUSED = {
    "upstream": ("-u", "a study names its upstreams itself, in study.upstreams"),
    "upstream_ckpt": ("-k", "a study names checkpoints itself, in study.upstreams"),
    "upstream_model_config": ("-g", "a study gives options itself, in study.upstreams"),
    "upstream_refresh": ("-r", "a study would download every checkpoint several times"),
    "downstream_variant": ("-v", "the tasks of a suite have their variants in its file"),
    "init_ckpt": ("-i", "a study begins with no checkpoint of a run, and goes on by itself"),
    "past_exp": ("-e", "a study goes on by itself: give the same command again"),
    "local_rank": ("torchrun", "a study runs in processes of its own; give each machine its part by study.only"),
    "push_to_hf_hub": ("--push_to_hf_hub", "a study leaves its results where they are"),
    "upstream_revision": ("--upstream_revision", "the upstreams of a study come from s3prl's hub"),
}


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One run of a study.

    Attributes:
        upstream: what is loaded.
        kind: "analyses" or "tasks".
        seed: of the run.
        folder: its own; of tasks, below the upstream's.
        suite: the configuration.
        passed_on: the command line's flags that it gets, and those among them that decide what comes out.
    """

    upstream: StudyUpstream
    kind: str
    seed: int
    folder: Path
    suite: Mapping[str, Any]
    passed_on: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def what(self) -> str:
        """What is run, for reading."""
        if self.kind == "analyses":
            return "analyses"
        names = list(self.suite["suite"]["tasks"])
        return f"{names[0] if len(names) == 1 else f'{len(names)} tasks'} with seed {self.seed}"

    def write(self) -> list[str]:
        """Write the files of the run; the flags that run it."""
        suite, options = self.folder / "suite.yaml", self.folder / "options.yaml"
        results.replace_file(suite, yaml.safe_dump(dict(self.suite), sort_keys=False).encode())
        words = ["-m", "train", "-d", "suite", "-c", str(suite), "-u", self.upstream.entry]
        if self.upstream.checkpoint:
            words += ["-k", self.upstream.checkpoint]
        if self.upstream.options:
            results.replace_file(options, yaml.safe_dump(dict(self.upstream.options), sort_keys=False).encode())
            words += ["-g", str(options)]
        words += [remote_code.FLAG] if remote_code.is_allowed() else []
        return [*words, "-p", str(self.folder), "--seed", str(self.seed), *self.passed_on[0], *self.passed_on[1]]

    def _other_packages(self) -> dict[str, str]:
        """The versions of other packages that have a part in it."""
        analyses = self.suite["suite"].get("analyses") or ()
        of_others = [registry.origin("downstream", name) for name in analyses]
        of_others += [registry.origin("upstream", self.upstream.entry), plugin_flag.versions()]
        return {name: version for found in of_others for name, version in found.items()}

    @property
    def mark(self) -> Mark:
        """Tells whether this very run is finished."""
        run = {
            "upstream": self.upstream.entry,
            "options": self.upstream.options,
            "suite": self.suite,
            "seed": self.seed,
            "flags": self.passed_on[0],
            "packages": self._other_packages(),
        }
        checkpoint = self.upstream.checkpoint
        return Mark(self.folder / results.FILE_NAME, run, [checkpoint] if checkpoint else [])


def runs(study: Study, config: Mapping[str, Any], args: argparse.Namespace) -> Iterator[SuiteRun]:
    """Every run of a study, in their order.

    Args:
        config: the whole configuration, with the corpora of its tasks.
        args: of the command line.
    """
    expdir = Path(args.expdir)
    seeds = study.seeds or (args.seed,)
    passed_on = (tuple(_flags(args, DECISIVE)), tuple(_flags(args, PASSED_ON)))
    rest = {key: value for key, value in config.items() if key not in ("study", "suite")}
    analyses, tasks = _halves(config["suite"])
    if analyses:
        for upstream in study.upstreams:
            folder = expdir / upstream.name
            yield SuiteRun(upstream, "analyses", seeds[0], folder, {**rest, "suite": analyses}, passed_on)
    for upstream in study.upstreams if tasks else ():
        if upstream.tasks:
            stored = {**rest, "suite": _with_store(tasks, expdir / upstream.name / STORE)}
            for seed in seeds:
                yield SuiteRun(upstream, "tasks", seed, expdir / upstream.name / f"seed{seed}", stored, passed_on)


def check_flags(args: argparse.Namespace, default_seed: int, study: Study) -> None:
    """Refuse flags that a study cannot follow.

    Args:
        default_seed: of `--seed`.

    Raises:
        UserError: for the first of them.
    """
    if args.mode != "train":
        raise UserError(f"-m {args.mode}: a study is run with -m train")
    for name, (flag, reason) in REFUSED.items():
        value = getattr(args, name, None)
        if value is not None and value is not False:
            raise UserError(f"{flag}: {reason}; leave it out")
    if args.hub != "torch":
        raise UserError(f"--hub {args.hub}: the upstreams of a study come from s3prl's hub; leave it out")
    if study.seeds and args.seed != default_seed:
        raise UserError(f"--seed {args.seed}: the study names its seeds itself (study.seeds); leave one of them out")


def _halves(suite: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A suite without its tasks, and without its analyses and their options; empty where nothing is left to run."""
    chosen = suite.get("analyses") or {}
    of_analyses = {"analyses", *(shared_options(chosen) if chosen else ())}
    analyses = {key: value for key, value in suite.items() if key in of_analyses}
    tasks = {key: value for key, value in suite.items() if key not in of_analyses or key == "corpus"}
    return (analyses if chosen else {}), (tasks if suite.get("tasks") else {})


def _with_store(suite: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A suite whose feature store, where it has one without a folder, is that of the upstream."""
    asked = suite.get("store")
    if asked is True:
        return {**suite, "store": {"folder": str(folder)}}
    if isinstance(asked, Mapping) and not asked.get("folder"):
        return {**suite, "store": {**asked, "folder": str(folder)}}
    return dict(suite)


def _flags(args: argparse.Namespace, names: Mapping[str, str]) -> Iterator[str]:
    """The flags that give these arguments again."""
    for name, flag in names.items():
        value = getattr(args, name, None)
        if value is True:
            yield flag
        elif value is not None and value is not False:
            yield from (flag, str(value))
