"""What a suite says of its feature store: `store: true`, or some of the options below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from s3prl_plugin.config import Config, schema
from s3prl_plugin.config.schema import ConfigSection, Positive, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ConfigSection):
    """How features are kept.

    Attributes:
        enabled: whether they are.
        dtype: as what: "float16", "bfloat16", or "float32", which loses nothing. What a task sees is rounded so from
            the first epoch on.
        budget_gb: so many gigabytes (10^9 bytes) in all, for every upstream in the folder; None for no limit.
        folder: where; None for `store` in the experiment's folder. Many runs may share one, also at the same time.
        check: score every task once more from features that are computed afresh, and say how the scores differ.
    """

    enabled: bool = True
    dtype: Literal["float16", "bfloat16", "float32"] = "float16"
    budget_gb: Positive | None = 20
    folder: Text | None = None
    check: bool = False


def read(config: Config) -> Options:
    """The options from what stands under `suite.store`: nothing, true, false, or some of them.

    Raises:
        UserError: an option is unknown, or a value is not possible.
    """
    given = config.section("suite").get("store")
    if given is None or isinstance(given, bool):
        return Options(enabled=bool(given))
    if not isinstance(given, dict):
        cure = f"give true, false or keys: {', '.join(schema.names(Options))}"
        raise config.error(("suite", "store"), f"suite.store: {given!r} is not possible; {cure}")
    return schema.read(config, ("suite", "store"), Options)
