"""Caches as plain lists: what stands in for `pickle` in modules of s3prl's."""

from __future__ import annotations

import io
import json
from typing import Any

from s3prl_plugin.errors import UserError


class PlainFiles:
    """Stands in for `pickle` where lists, mappings, strings and numbers are kept."""

    def dump(self, content: Any, file: io.BufferedIOBase) -> None:
        """Write it as JSON."""
        file.write(json.dumps(content, default=str).encode())
        file.flush()

    def load(self, file: io.BufferedIOBase) -> Any:
        """Read what `dump` wrote.

        Raises:
            UserError: it is something else.
        """
        try:
            return json.loads(file.read())
        except (ValueError, RecursionError):
            name = getattr(file, "name", "a cache")
            raise UserError(f"{name}: not a cache that this plugin wrote; remove it, it is made anew") from None


PLAIN_FILES = PlainFiles()
