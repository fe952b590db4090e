"""YAML of plain values: text, numbers, true, false, null, lists and mappings, of a size that a file can mean."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import yaml

# values in a file, those behind every alias counted each time
MAX_VALUES = 100_000
_NOT_PLAIN = ("timestamp", "binary", "set", "omap", "pairs")


class NotPlainError(ValueError):
    """What is wrong with a text, in one line.

    Attributes:
        line: where, counted from 1; None where that cannot be told.
    """

    def __init__(self, message: str, line: int | None = None):
        super().__init__(" ".join(message.split()))
        self.line = line


class _Loader(yaml.SafeLoader):
    """yaml's safe loader without objects; a date is text."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        tag: build
        for tag, build in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] not in _NOT_PLAIN
    }
    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {  # type: ignore[misc]
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node; one that cannot be computed is told with its line."""
        try:
            return super().construct_object(node, deep=deep)
        except NotPlainError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            kind = node.tag.rpartition(":")[2]
            value = str(node.value) if isinstance(node, yaml.ScalarNode) else str(getattr(node, "id", kind))
            raise NotPlainError(f"not valid YAML ({value[:40]!r} is no {kind})", node.start_mark.line + 1) from None


def load(text: str | bytes) -> tuple[yaml.Node | None, Any]:
    """Read one document.

    Args:
        text: YAML.

    Returns:
        Its node, which knows its lines, and its content; None and None where it is empty.

    Raises:
        NotPlainError: it is not YAML, holds more than plain values, or more of them than a file can mean.
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, None
            _count(node, {}, set())
            return deepcopy(node), loader.construct_document(node)  # which changes the node where it has `<<`
        finally:
            loader.dispose()
    except NotPlainError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        raise NotPlainError(f"not valid YAML ({reason})", mark.line + 1 if mark else None) from None
    except RecursionError:
        raise NotPlainError("not valid YAML (nested too deep)") from None
    except UnicodeError:
        raise NotPlainError("not a text file") from None


def load_packaged(path: Path) -> Any:
    """What a file of this package holds; libyaml reads it ten times faster, with less to say of mistakes."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _count(node: yaml.Node, sizes: dict[int, int], open_: set[int]) -> int:
    """The values in a node, those behind an alias counted wherever it stands.

    Raises:
        NotPlainError: they are too many, or it holds itself.
    """
    known = sizes.get(id(node))
    if known is not None:
        return known
    line = node.start_mark.line + 1
    if id(node) in open_:
        raise NotPlainError("an alias stands for what holds it; write the values out", line)
    open_.add(id(node))
    held = node.value if isinstance(node, (yaml.SequenceNode, yaml.MappingNode)) else ()
    total = 1
    for item in held:
        for each in item if isinstance(item, tuple) else (item,):
            total += _count(each, sizes, open_)
        if total > MAX_VALUES:
            raise NotPlainError(f"its aliases stand for more than {MAX_VALUES} values; write fewer", line)
    open_.discard(id(node))
    sizes[id(node)] = total
    return total
