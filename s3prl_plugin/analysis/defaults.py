"""The packaged configuration of an analysis: it holds every key that the downstream knows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from s3prl_plugin import config, registry
from s3prl_plugin.config import Config
from s3prl_plugin.config.plain_yaml import load_packaged
from s3prl_plugin.errors import UserError
from s3prl_plugin.plugins.folders import folders as folders_of
from s3prl_plugin.plugins.origin import is_own

FILE_NAME = "config.yaml"
# the options that `AnalysisExpert` reads, whatever is measured
COMMON = (
    *("corpus", "measures", "taps", "split_by", "shared_texts", "batch_seconds", "batch_size", "num_workers"),
    *("memory_limit_gb", "statistics_on_disk", "checkpoint_minutes", "keep_statistics", "part", "merge"),
)


@cache
def _defaults(name: str) -> Config:
    """The `config.yaml` in the folder of a downstream."""
    folders = folders_of(registry.downstreams()[name])
    path = next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)
    if path is None:
        raise UserError(f"{name}: its folder has no {FILE_NAME}, which holds the defaults of its options")
    found = Config(path, load_packaged(path), {}) if is_own(registry.downstreams()[name]) else config.read(path)
    for key in COMMON:
        if key not in found.section("downstream_expert"):
            raise UserError(
                f"{path}: downstream_expert.{key} is missing, an option of every analysis; see that of rank"
            )
    return found


def analysis_defaults(name: str) -> dict[str, Any]:
    """Every option of an analysis downstream with its default value.

    Args:
        name: one of `registry.downstreams()`.

    Raises:
        UserError: it has no configuration, or that lacks an option.
    """
    return dict(_defaults(name).section("downstream_expert"))


def explained(name: str) -> dict[str, str]:
    """Every option of an analysis downstream with the comment that stands above it and beside it."""
    found, above, inside = {}, [], False
    for line in _defaults(name).path.read_text(encoding="utf-8").splitlines():
        said, _, beside = line.partition("# ") if line.lstrip().startswith("#") else line.partition(" # ")
        inside = inside or said.startswith("downstream_expert:")
        if not said.strip():
            above.append(beside.strip())
        elif inside and (option := re.match(r"  (\w+):", said)):
            found[option[1]] = " ".join(filter(None, [*above, beside.strip()]))
            above = []
        else:
            above = []
    return found


def shared_options(analyses: Iterable[str]) -> set[str]:
    """The options that all of these analyses have in common, and that a suite may set once for all of them."""
    common = [set(analysis_defaults(name)) - {"measures", "protocol"} for name in analyses]
    return set.intersection(*common) if common else {"corpus"}
