"""A pre-training's configuration: the sections of `-g` and `-c` together, each in one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from s3prl_plugin.config import Config, KeyPath
from s3prl_plugin.errors import UserError

SECTIONS = ("runner", "optimizer", "scheduler", "pretrain_expert", "units")


class Experiment(Config):
    """Several files as one; an error names the file in which the section stands.

    Args:
        files: the first one is named where a section is missing.
        sections: that may be there.

    Raises:
        UserError: a section is unknown, or stands in two files.
    """

    def __init__(self, files: Sequence[Config], sections: Iterable[str]):
        super().__init__(files[0].path, {}, {})
        self._files = files
        for file in files:
            file.refuse_unknown(sections)
            for name, content in file.data.items():
                if name in self.data:
                    raise file.error((name,), f"the section {name!r} stands in {self._owner(name).path}, too; keep one")
                self.data[name] = content

    def error(self, key: KeyPath, message: str) -> UserError:
        """The error for what stands at `key`, naming file and line."""
        return self._owner(key[0] if key else "").error(key, message)

    def _owner(self, section: str) -> Config:
        """The file that has a section."""
        return next((file for file in self._files if section in file.data), self._files[0])
