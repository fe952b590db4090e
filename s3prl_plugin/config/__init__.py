"""Configuration files, what their keys may hold, and what the command line puts over them."""

from s3prl_plugin.config.reading import (
    TASK_KEYS,
    TOP_LEVEL,
    Config,
    KeyPath,
    analysis_defaults,
    check,
    check_names,
    packaged,
    parse,
    read,
    refuse_code,
    shared_options,
)

__all__ = [
    "TASK_KEYS",
    "TOP_LEVEL",
    "Config",
    "KeyPath",
    "analysis_defaults",
    "check",
    "check_names",
    "packaged",
    "parse",
    "read",
    "refuse_code",
    "shared_options",
]
