"""What tells that a job is finished: a file beside what it has made, which says what it was and how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3prl_plugin import __version__, results
from s3prl_plugin.files import digests

FILE_NAME = "finished.json"


@dataclass(frozen=True, slots=True)
class Mark:
    """Tells whether this very job is finished.

    Attributes:
        product: a file that it leaves; the mark stands beside it.
        run: all that decides what it makes, but for the content of files.
        files: files and folders whose content decides it, too, such as a checkpoint; addresses count by their name.
    """

    product: Path
    run: Mapping[str, Any]
    files: Sequence[str] = ()

    def seconds(self) -> float | None:
        """How long the job took; None where it is not finished, or was another one."""
        path = self.product.with_name(FILE_NAME)
        if not (path.is_file() and self.product.is_file()):
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return None
        same = found.get("run") == self._run() and all(_same(file, found["files"][file]) for file in self.files)
        return float(found["seconds"]) if same else None

    def write(self, seconds: float) -> None:
        """Note that it is finished; it is not run again unless it changes."""
        files = {file: {"state": digests.state_of_path(file), "sha256": digests.of_path(file)} for file in self.files}
        content = {"run": self._run(), "files": files, "seconds": round(seconds, 1)}
        results.replace_file(self.product.with_name(FILE_NAME), json.dumps(content, indent=1).encode())

    def _run(self) -> Any:
        """What decides it, as JSON gives it back."""
        said = {**self.run, "files": list(self.files), "version": __version__}
        return json.loads(json.dumps(said, default=str))


def _same(file: str, found: Mapping[str, Any]) -> bool:
    """Whether a file is the one that a finished job had; its content is read where it may not be."""
    return found["state"] == digests.state_of_path(file) or found["sha256"] == digests.of_path(file)
