"""Sections as dataclasses: what they take, beside another library's reading of their JSON schema, and what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired

import jsonschema
import pytest
from annotated_types import Len
from typing_extensions import TypedDict

from s3prl_plugin import config
from s3prl_plugin.config import schema
from s3prl_plugin.config.schema import By, ConfigSection, Counted, Number, Positive, Seed, Share, Some, Text, Whole
from s3prl_plugin.errors import UserError


def no_nonsense(value):
    if value == "nonsense":
        raise UserError("'nonsense' is what it says; write sense")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base(ConfigSection):
    """What all have.

    Attributes:
        size: how large,
            in metres.
    """

    size: Positive = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Made(Base):
    """A section.

    Attributes:
        name: of it.
        count, steps: numbers.

    Raises:
        UserError: never told of here.
    """

    name: Text
    count: Counted | None = None
    steps: Sequence[Whole] = ()
    share: Share = 0.5
    seed: Seed = 0
    pair: Annotated[Sequence[Number], Len(2, 2)] = (0.0, 1.0)
    kind: Literal["fast", "slow"] = "fast"
    some: str | Some[str] = "all"
    flag: bool = False
    others: Mapping[str, Any] | None = None
    said: Annotated[str, By(no_nonsense)] = "sense"

    def check_together(self):
        if self.flag and self.kind == "slow":
            raise UserError("flag: a slow one has none; leave it out")


VALUES = [
    *(None, True, False, 0, 1, -1, 2, 0.0, 0.5, 1.5, -0.5, 2**31, 2**63 - 1, 2**63, "", "a", "fast", "fas", "1"),
    *([], [0], [1, 2], [0.5, 1], [-1, 0], ["a"], [True, 1], [1, 2, 3], [None], {}, {"a": 1}),
]


@pytest.mark.parametrize("option", [name for name in schema.names(Made) if name not in ("said", "seed")])
def test_what_is_taken_is_what_the_json_schema_allows(option):
    validator = jsonschema.Draft202012Validator(schema.json_schema(Made)["properties"][option])
    for value in VALUES:
        taken = validator.is_valid(value) and not (isinstance(value, float) and not validator.is_valid(value + 0.1))
        if taken:
            assert getattr(Made(**{"name": "x", option: value}), option) is value, "as it was given"
        else:
            with pytest.raises(UserError, match=rf"^{option}: .* is not possible; "):
                Made(**{"name": "x", option: value})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"size": 0}, "size: 0 is not possible; give a number above 0"),
        ({"size": float("nan")}, "size: nan is not possible; give a number above 0"),
        (
            {"size": "5e-4"},
            "size: '5e-4' is not possible; give a number above 0 (YAML reads 5e-4 as text; write 5.0e-4)",
        ),
        ({"seed": 2**63}, f"seed: {2**63} is not possible; give a whole number from 0 to 2^63 - 1"),
        ({"seed": 10**5000}, "seed: <int> is not possible; give a whole number from 0 to 2^63 - 1"),
        ({"count": 0}, "count: 0 is not possible; give a whole number from 1 on, or null"),
        ({"kind": "fsat"}, "kind: 'fsat' is not possible; did you mean 'fast'?"),
        ({"kind": 3}, "kind: 3 is not possible; give fast or slow"),
        ({"pair": [1]}, "pair: [1] is not possible; give a list of 2 (each a number from 0 on)"),
        ({"said": "nonsense"}, "said: 'nonsense' is what it says; write sense"),
        ({"kind": "slow", "flag": True}, "flag: a slow one has none; leave it out"),
        (
            {"steps": [1] * 99 + [-1]},
            f"steps: {str([1] * 99)[:57]}... is not possible; give a list (each a whole number",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(given, told):
    with pytest.raises(UserError) as error:
        Made(name="x", **given)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("part:\n  name: x\n  share: 2\n", "line 3: part.share: 2 is not possible; give a number from 0 to 1"),
        ("part:\n  name: x\n  shaer: 1\n", "line 3: unknown key 'shaer' in part: did you mean 'share'?"),
        ("part:\n  share: 1\n", "line 1: part needs `name`"),
        ("part:\n  name: x\n  flag: true\n  kind: slow\n", "line 3: part.flag: a slow one has none"),
    ],
)
def test_a_file_is_named_with_the_line(tmp_path, text, told):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        schema.read(config.read(path), ("part",), Made)
    assert str(error.value).startswith(f"{path}, {told}")


def test_options_are_explained_by_the_docstrings():
    assert schema.descriptions(Made) == {
        "size": "how large, in metres.",
        "name": "of it.",
        "count": "numbers.",
        "steps": "numbers.",
    }
    assert schema.json_schema(Made)["properties"]["size"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0,
        "description": "how large, in metres.",
    }


def test_what_differs_from_the_defaults_is_known():
    assert Made(name="x", size=2, share=0.5).changed() == {"name": "x", "size": 2}


class Either(TypedDict):
    """One form of an option."""

    name: Text
    size: NotRequired[Counted]


class Or(TypedDict):
    """Another."""

    folder: Text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"nam": "a", "size": 1}, "it: unknown key 'nam'; did you mean 'name'?"),
        ({"size": 1}, "it needs `name`; give {name: text, size: a whole number from 1 on}"),
        ({"name": "a", "size": 0}, "it.size: 0 is not possible; give a whole number from 1 on"),
        ({"folder": 3}, "it.folder: 3 is not possible; give text"),
        ({"folder": "a", "size": 1, "name": "b"}, "it: unknown key 'folder'"),
        ({}, "it: {} is not possible; give {name: text, size: a whole number from 1 on}, {folder: text}, or null"),
    ],
)
def test_what_is_wrong_with_keys_is_told_by_the_form_that_is_nearest(value, message):
    with pytest.raises(UserError) as told:
        schema.check("it", Either | Or | None, value)
    assert str(told.value).startswith(message)
    schema.check("it", Either | Or | None, {"name": "a"})


def test_keys_that_are_some_of_a_few_names():
    kind = Mapping[Literal["one", "two"], Counted]
    schema.check("it", kind, {"one": 1})
    for value, message in (({"on": 1}, "it: unknown key 'on'; did you mean 'one'?"), ({"two": 0}, "it.two: 0 is not")):
        with pytest.raises(UserError) as told:
            schema.check("it", kind, value)
        assert str(told.value).startswith(message)
    assert schema.possible(schema.schema(kind)) == "{one or two: a whole number from 1 on, ...}"


def test_a_message_gets_the_line_of_the_deepest_key_that_it_names(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text("top:\n  other:\n    upstream: a\n    options:\n      pool_to: 3\n")
    file = config.read(path)
    for message, line in (
        ("top.other.options: pool_to: 3 is not possible", 5),
        ("top.other: unknown key 'upstream'", 3),
        ("nothing that is there", 1),
    ):
        assert str(schema.placed(file, ("top",), message)) == f"{path}, line {line}: {message}"
