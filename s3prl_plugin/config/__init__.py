"""Configuration files, what their keys may hold, and what the command line puts over them."""

from s3prl_plugin.config.reading import (
    Config,
    KeyPath,
    check_names,
    given,
    packaged,
    parse,
    read,
    refuse_code,
)

__all__ = [
    "Config",
    "KeyPath",
    "check_names",
    "given",
    "packaged",
    "parse",
    "read",
    "refuse_code",
]
