"""Sections of a configuration as dataclasses: what an option may be is said once, by its annotation.

pydantic checks values. What a message, an editor and docs/configurations.md say of an option is made from its JSON
schema, and from the docstring of its dataclass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, get_type_hints

from annotated_types import Ge, Gt, Interval, Le, Lt, MinLen

from s3prl_plugin.config.reading import Config
from s3prl_plugin.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Whole = Annotated[int, Ge(0)]
Counted = Annotated[int, Ge(1)]
Seed = Annotated[int, Ge(0), Lt(1 << 63)]  # what torch takes
Number = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]
Text = Annotated[str, MinLen(1)]
Each = TypeVar("Each")
Some = Annotated[list[Each], MinLen(1)]

Made = TypeVar("Made", bound="ConfigSection")
LONGEST = 60  # characters of a value in a message


class ConfigSection:
    """What the dataclass of a section is derived from; its options are checked when it is made.

    Raises:
        UserError: an option has a value that it cannot have; the message begins with the option's name.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __post_init__(self) -> None:
        kind: Any = type(self)  # mypy takes a dataclass for unhashable
        for name, annotation in _hints(kind).items():
            check(name, annotation, getattr(self, name))
        self.check_together()

    def check_together(self) -> None:
        """Refuse what options cannot be together.

        Raises:
            UserError: the message begins with the name of an option.
        """

    def changed(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


def read(config: Config, key: tuple[str, ...], kind: type[Made]) -> Made:
    """A section of a configuration.

    Args:
        config: that holds it.
        key: what leads to it; empty for the whole file.
        kind: its dataclass.

    Raises:
        UserError: an option is unknown, missing, or has a value that it cannot have; with file and line.
    """
    config.refuse_unknown(names(kind), *key)
    said = config.section(*key)
    for field in fields(kind):
        if field.name not in said and field.default is MISSING and field.default_factory is MISSING:
            raise config.error(key, f"{'.'.join(key)} needs `{field.name}`")
    try:
        return kind(**said)
    except UserError as error:
        raise placed(config, key, ".".join((*key, str(error)))) from None


def placed(config: Config, key: tuple[str, ...], message: str) -> UserError:
    """The error of what stands under a key, with the line of the option below it that the message names first."""
    held: Any = config.data
    for part in key:
        held = held.get(part) if isinstance(held, Mapping) else None
    words = re.findall(r"\w+", message)
    while isinstance(held, Mapping) and (named := next((word for word in words if word in held), None)):
        key, held = (*key, named), held[named]
    return config.error(key, message)


def names(kind: type[ConfigSection]) -> list[str]:
    """The options of a section."""
    return [field.name for field in fields(kind)]


@dataclass(frozen=True)
class By:
    """In an annotation: a function that raises UserError for a value that cannot be."""

    refuse: Callable[[Any], object]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema

        def refuse(value: Any) -> Any:
            self.refuse(value)
            return value

        return core_schema.no_info_after_validator_function(refuse, handler(source))


def _all_differ(seeds: Sequence[int]) -> None:
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{brief(seeds)} holds a seed twice; give different ones")


Seeds = Annotated[Sequence[Annotated[int, Interval(ge=0, lt=1 << 32)]], MinLen(1), By(_all_differ)]


def one_of(names: Iterable[str]) -> Any:
    """The annotation of one of a few names."""
    return Literal[tuple(names)]


def some_of(names: Iterable[str], least: int = 0) -> Any:
    """The annotation of a list of some of a few names, `least` of them at least."""
    return Annotated[list[one_of(names)], MinLen(least)]  # type: ignore[misc]


def one_or_some_of(names: Sequence[str]) -> Any:
    """The annotation of one of a few names, or of a list of some of them."""
    return one_of(names) | some_of(names, 1)


def keyed_by(names: Iterable[str], kind: Any) -> Any:
    """The annotation of a mapping from some of a few names to values of a kind."""
    return Mapping[one_of(names), kind]  # type: ignore[misc]


def whole(least: int) -> Any:
    """The annotation of a whole number of at least so many."""
    return Annotated[int, Ge(least)]


def check(name: str, annotation: Any, value: Any) -> None:
    """Refuse a value that an option cannot have.

    Args:
        name: of the option.
        annotation: what it may be.
        value: what it is.

    Raises:
        UserError: the message begins with the name.
    """
    from pydantic import ValidationError

    try:
        _adapter(annotation).validate_python(value)
        return
    except ValidationError as error:
        found = error.errors()
    for each in found:
        if each["type"] == "value_error":
            raise UserError(f"{name}: {str(each['ctx']['error']).removeprefix(f'{name}: ')}")
    parts = [part for whole in (schema(annotation),) for part in whole.get("anyOf", [whole])]
    if isinstance(value, Mapping):
        wrong = {key for each in found if each["type"] != "extra_forbidden" for key in each["loc"]}
        _refuse_inside(name, value, parts, wrong)
    items = [choice for part in parts for choice in part.get("items", {}).get("enum", ())]
    unknown = next((each for each in value if each not in items), None) if isinstance(value, list) else None
    if items and isinstance(unknown, str):
        raise UserError(f"{name}: there is no {brief(unknown)}; {did_you_mean(unknown, items)}")
    choices = [choice for part in parts for choice in part.get("enum", ())]
    hint = (
        did_you_mean(value, choices) if choices and isinstance(value, str) else f"give {possible(schema(annotation))}"
    )
    if isinstance(value, str) and re.fullmatch(r"\d+e[-+]?\d+", value):
        hint += f" (YAML reads {value} as text; write {value.replace('e', '.0e', 1)})"
    raise UserError(f"{name}: {brief(value)} is not possible; {hint}")


def _refuse_inside(name: str, value: Mapping[Any, Any], parts: Sequence[Mapping[str, Any]], wrong: set[Any]) -> None:
    """Say what is wrong with keys, by that of the forms that has most of them.

    Args:
        name: of the option.
        value: what it is.
        parts: the JSON schema of every form that it may have.
        wrong: the keys whose values pydantic does not take in some form.
    """

    def keys(part: Mapping[str, Any]) -> list[str]:
        return list(part.get("properties") or part.get("propertyNames", {}).get("enum", ()))

    part = max(parts, key=lambda part: len(value.keys() & keys(part)))
    if not keys(part) or (len(parts) > 1 and not value.keys() & keys(part)):
        return
    for key, held in value.items():
        if key not in keys(part):
            raise UserError(f"{name}: unknown key {brief(key)}; {did_you_mean(str(key), keys(part))}")
        each = part.get("properties", {}).get(key) or part["additionalProperties"]
        if key in wrong and key in part.get("properties", value):
            raise UserError(f"{name}.{key}: {brief(held)} is not possible; give {possible(each)}")
    for key in part.get("required", ()):
        if key not in value:
            raise UserError(f"{name} needs `{key}`; give {possible(part)}")


def schema(annotation: Any) -> dict[str, Any]:
    """The JSON schema of an annotation, without references."""
    found = _adapter(annotation).json_schema()
    parts = found.pop("$defs", {})

    def written_out(part: Any) -> Any:
        if isinstance(part, dict):
            part = parts[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
            return {key: written_out(value) for key, value in part.items() if not (key == "title" and "type" in part)}
        return [written_out(each) for each in part] if isinstance(part, list) else part

    return dict(written_out(found))


def json_schema(kind: type[ConfigSection]) -> dict[str, Any]:
    """The JSON schema of a section: what stands under its key."""
    said, hints = descriptions(kind), get_type_hints(kind, include_extras=True)
    options = {}
    for field in fields(kind):
        found = schema(hints[field.name])
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        found |= {"description": said[field.name]} if field.name in said else {}
        options[field.name] = found | ({} if default is MISSING else {"default": default})
    return {"type": "object", "properties": options, "additionalProperties": False}


def descriptions(kind: type) -> dict[str, str]:
    """Option -> what it means: the part `Attributes` of the docstrings of a dataclass and of those that it extends."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        _, _, listed = cleandoc(each.__doc__ or "").partition("Attributes:\n")
        for entry in re.split(r"\n    (?=\w)", "\n" + listed.partition("\n\n")[0]):
            words, colon, text = entry.partition(":")
            if colon:
                found |= dict.fromkeys((name.strip() for name in words.split(",")), " ".join(text.split()))
    return found


def possible(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words: "a whole number from 1 on, or null"."""
    if "anyOf" in schema:
        *others, last = dict.fromkeys(
            "a list of these" if each.get("items") in schema["anyOf"] else possible(each) for each in schema["anyOf"]
        )
        return ", ".join(others) + (f"{',' if ' ' in others[-1] else ''} or {last}" if others else last)
    if "enum" in schema or "const" in schema:
        return _listed(str(value) for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return f"a {'whole ' if kind == 'integer' else ''}number{_range(schema, kind == 'integer')}"
    if kind == "array":
        each = schema.get("items") or schema.get("prefixItems", [{}])[0]
        size = f" of {schema['maxItems']}" if "maxItems" in schema else ""
        return f"a list{size} (each {possible(each)})"
    if schema.get("properties"):
        return f"{{{', '.join(f'{name}: {possible(each)}' for name, each in schema['properties'].items())}}}"
    if "propertyNames" in schema:
        return f"{{{possible(schema['propertyNames'])}: {possible(schema['additionalProperties'])}, ...}}"
    plain = {"boolean": "true or false", "null": "null", "string": "text", "object": "keys"}
    return plain.get(str(kind), "a value")


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _range(schema: Mapping[str, Any], whole: bool) -> str:
    """Between which limits a number lies."""
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if whole and below is not None:
        most = below - 1
    parts = [f"from {least}"] if least is not None else [f"above {above}"] if above is not None else []
    if schema.get("multipleOf") == 2:
        parts.insert(0, "that is even,")
    if most is not None:
        parts.append(f"to {most if most < 1 << 31 else f'2^{most.bit_length()} - 1'}")
    elif below is not None:
        parts.append(f"to below {below}")
    elif least is not None:
        parts.append("on")
    return " ".join(["", *parts])


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """Option -> its annotation."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: hints[name] for name in names(kind)}


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    """What checks a value."""
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False, extra="forbid"))


def brief(value: object) -> str:
    """A value in a message of one line."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # a number of too many digits
        return f"<{type(value).__name__}>"
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
