"""Where this package keeps what need not be made or found out twice."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "S3PRL_PLUGIN_CACHE"


def folder(*names: str) -> Path:
    """A folder of the cache, which is `$S3PRL_PLUGIN_CACHE`, else ~/.cache/s3prl_plugin."""
    return Path(os.environ.get(VARIABLE) or Path.home() / ".cache" / "s3prl_plugin").expanduser().joinpath(*names)
