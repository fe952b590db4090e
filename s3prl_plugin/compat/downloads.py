"""s3prl's downloads: one that fails is a traceback of three libraries, and a file that has changed is not noticed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from s3prl_plugin import download
from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note


def install() -> None:
    """Hook the import of s3prl's download module."""
    hooks.after_import("s3prl.util.download", _fetch_as_we_do)


def _fetch_as_we_do(module: ModuleType) -> None:
    """Files of s3prl's cache are fetched and verified by this plugin's download."""
    stock = module._download

    def fetched(filepath: str | Path, url: str, refresh: bool, *args: Any, **kwargs: Any) -> None:
        if Path(filepath) == download.cache_path(url):
            download.fetch(url, refresh=refresh)
        else:  # somewhere else than in the cache
            stock(filepath, url, refresh, *args, **kwargs)

    module._download = module.download = fetched  # type: ignore[attr-defined]
    note(
        "s3prl",
        "0.4.18",
        "downloads: resumed when cut off, compared with the sum of the first download, a failure is one line",
    )
