"""Configuration files, what their keys may hold, and what the command line puts over them."""

from s3prl_plugin.config.reading import (
    Config,
    KeyPath,
    given,
    packaged,
    parse,
    read,
    refuse_code,
)

__all__ = [
    "Config",
    "KeyPath",
    "given",
    "packaged",
    "parse",
    "read",
    "refuse_code",
]
