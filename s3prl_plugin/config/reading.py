"""Configuration files: read safely, and refuse what nobody would read, with file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from s3prl_plugin.config import plain_yaml
from s3prl_plugin.errors import UserError, did_you_mean

# what runs code from outside: flags on the command line, and keys of no file
FLAGS_ONLY = frozenset({"plugin", "plugins", "trust_remote_code"})
MAX_BYTES = 4 << 20

KeyPath = tuple[str, ...]


class Config:
    """One configuration file.

    Attributes:
        path: where it was read from.
        data: its content.
    """

    def __init__(self, path: Path, data: dict[str, Any], lines: Mapping[KeyPath, int]):
        self.path = path
        self.data = data
        self._lines = lines

    def changed(self, data: dict[str, Any]) -> Config:
        """The same file with other content, whose errors name the lines of what was there."""
        return Config(self.path, data, self._lines)

    def error(self, key: KeyPath, message: str) -> UserError:
        """The error for what stands at `key`, naming file and line; that of what holds it where it has none."""
        line = next((self._lines[key[:end]] for end in range(len(key), 0, -1) if key[:end] in self._lines), None)
        place = f"{self.path}, line {line}" if line else str(self.path)
        return UserError(f"{place}: {message}")

    def section(self, *key: str) -> dict[str, Any]:
        """The mapping at `key`; empty where it is absent.

        Raises:
            UserError: something else than a mapping stands there.
        """
        found: Any = self.data
        for i, part in enumerate(key):
            found = found.get(part)
            if found is None:
                return {}
            if not isinstance(found, dict):
                raise self.error(key[: i + 1], f"{'.'.join(key[: i + 1])} must hold keys, not {found!r}")
        return found

    def refuse_unknown(self, known: Iterable[str], *key: str) -> None:
        """Refuse keys of the mapping at `key` that are not `known`.

        Raises:
            UserError: for the first unknown key, with what may have been meant.
        """
        known = list(known)
        for name in self.section(*key):
            if name not in known:
                where = f" in {'.'.join(key)}" if key else ""
                raise self.error((*key, str(name)), f"unknown key {name!r}{where}: {did_you_mean(str(name), known)}")


def read(path: str | Path) -> Config:
    """Read a YAML file of plain values.

    Raises:
        UserError: it is missing, is not YAML, holds a key twice, a key that is no text or that only a flag may be, or
            is not a mapping.
    """
    path = Path(path)
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: larger than a configuration can be; check -c, -g or the suite's file name")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UserError(
            f"{path}: cannot read this configuration ({reason}); check -c, -g or the suite's file name"
        ) from None
    try:
        node, data = plain_yaml.load(text)
    except plain_yaml.NotPlainError as error:
        raise UserError(f"{path}{f', line {error.line}' if error.line else ''}: {error}") from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise UserError(f"{path}: a configuration holds keys and values; this file holds a {type(data).__name__}")
    lines: dict[KeyPath, int] = {}
    if node is not None:
        _collect_lines(path, node, (), lines)
    config = Config(path, data, lines)
    refuse_code(data, config.error)
    return config


def given(found: str | Path | Mapping[str, Any] | Config) -> Config:
    """A configuration, whether it is given as a file, as its content or as itself; content has no lines.

    Raises:
        UserError: a file is not as `read` wants it.
    """
    if isinstance(found, Config):
        return found
    return Config(Path("options"), dict(found), {}) if isinstance(found, Mapping) else read(found)


def parse(text: str | bytes) -> Any:
    """The plain values in YAML.

    Raises:
        UserError: it is not YAML, or holds more than plain values.
    """
    try:
        return plain_yaml.load(text)[1]
    except plain_yaml.NotPlainError as error:
        raise UserError(f"{f'line {error.line}: ' if error.line else ''}{error}") from None


def refuse_code(data: Any, error: Callable[[KeyPath, str], UserError], key: KeyPath = ()) -> None:
    """Refuse keys that would run code from outside if they were flags, and keys that are no text.

    Args:
        data: what a file or a checkpoint holds.
        error: makes the error for a key, and a message.

    Raises:
        UserError: what `error` makes.
    """
    if isinstance(data, Mapping):
        for name, value in data.items():
            inner = (*key, str(name))
            if not isinstance(name, str):
                raise error(inner, f"the key {name!r} is no text; put it in quotes")
            if name.strip().lower().replace("-", "_") in FLAGS_ONLY:
                raise error(
                    inner, f"{'.'.join(inner)}: code from outside is run for a flag on the command line only; remove it"
                )
            refuse_code(value, error, inner)
    elif isinstance(data, (list, tuple)):
        for value in data:
            refuse_code(value, error, key)


def _collect_lines(path: Path, node: yaml.Node, key: KeyPath, lines: dict[KeyPath, int]) -> None:
    """Note the line of every key, and refuse a key that stands twice in one mapping."""
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        inner = (*key, str(name.value))
        if inner in lines:
            raise UserError(
                f"{path}, line {name.start_mark.line + 1}: {'.'.join(inner)} stands here a second time "
                f"(first in line {lines[inner]}); keep one"
            )
        lines[inner] = name.start_mark.line + 1
        _collect_lines(path, value, inner, lines)


def packaged(*parts: str) -> Path:
    """The path of a file of this package: `packaged("configs", "suite", "first_light.yaml")`.

    Raises:
        UserError: there is no such file; what is there is named.
    """
    import importlib

    module = importlib.import_module(f"s3prl_plugin.{parts[0]}")
    root = Path(next(iter(module.__path__)))
    path = root.joinpath(*parts[1:])
    if not path.is_file():
        known = [p.relative_to(root).as_posix() for p in root.rglob("*.yaml")]
        raise UserError(f"{'/'.join(parts[1:])}: no such packaged file; {did_you_mean('/'.join(parts[1:]), known)}")
    return path
