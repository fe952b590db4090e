"""What a run's configuration may hold: every key is known to what reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from s3prl_plugin import registry, study, superb
from s3prl_plugin.analysis.defaults import analysis_defaults, shared_options
from s3prl_plugin.config import Config, schema, setting_names
from s3prl_plugin.errors import UserError
from s3prl_plugin.plugins import offers
from s3prl_plugin.store import options
from s3prl_plugin.superb.suite import TaskOptions

TOP_LEVEL = ("runner", "optimizer", "scheduler", "specaug", "downstream_expert", "suite", "study")


def check(config: Config, downstream: str | None, analyses: Iterable[str], tasks: Iterable[str]) -> None:
    """Refuse every key of a run's configuration that nothing would read.

    Args:
        config: the file given by `-c`.
        downstream: the value of `-d`.
        analyses: the names of the analysis downstreams, the plugin's and others'.
        tasks: the SUPERB tasks that a suite can run.

    Raises:
        UserError: naming file, line, the key, and what may have been meant.
    """
    analyses = list(analyses)
    config.refuse_unknown(TOP_LEVEL)
    check_names(config, downstream)
    if downstream in analyses:
        config.refuse_unknown(analysis_defaults(str(downstream)), "downstream_expert")
        _check_values(config, str(downstream), "downstream_expert")
    if "study" in config.data and downstream != "suite":
        raise config.error(("study",), f"a study runs a suite, not -d {downstream}; give -d suite")
    if downstream != "suite":
        return
    if not config.section("suite"):
        raise config.error(("suite",), "a suite needs a section `suite` with `analyses`, `tasks` or both")
    chosen = config.section("suite", "analyses")
    for name in chosen:
        if reason := offers.wrong("downstream", str(name)):
            raise config.error(("suite", "analyses", str(name)), reason)
    config.refuse_unknown(analyses, "suite", "analyses")
    for name in chosen:
        registry.check_downstream(name)
    config.refuse_unknown({"analyses", "tasks", "store"} | shared_options(chosen), "suite")
    options.read(config)
    for name in chosen:
        config.refuse_unknown(analysis_defaults(name), "suite", "analyses", name)
        _check_values(config, name, "suite", "analyses", name)
        _check_values(config, name, "suite")
    config.refuse_unknown(tasks, "suite", "tasks")
    for name in config.section("suite", "tasks"):
        schema.read(config, ("suite", "tasks", name), TaskOptions)
    if "study" in config.data:
        study.read(config)


def check_names(config: Config, downstream: str | None) -> None:
    """Refuse settings of s3prl's downstreams that are to name code and are no known names.

    Args:
        config: where they stand.
        downstream: whose settings they are; of a suite, those of its tasks are looked at.

    Raises:
        UserError: naming file, line, and what may have been meant.
    """
    if downstream != "suite":
        setting_names.check_file(config, str(downstream))
        return
    for name, said in config.section("suite", "tasks").items():
        if isinstance(said, dict) and isinstance(said.get("override"), dict) and name in superb.tasks():
            setting_names.check_file(config, superb.task(name).downstream, "suite", "tasks", name, "override")


def _check_values(config: Config, analysis: str, *key: str) -> None:
    """Refuse values that options of an analysis cannot have, of those that stand at `key`."""
    types: dict[str, Any] = getattr(registry.expert(analysis), "types", dict)()
    said = config.section(*key)
    for option in said.keys() & types.keys():
        try:
            schema.check(".".join((*key, option)), types[option], said[option])
        except UserError as error:
            raise schema.placed(config, key, str(error)) from None
