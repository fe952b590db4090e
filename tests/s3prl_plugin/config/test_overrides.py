"""`-o`: plain values under dotted keys."""

import argparse
import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3prl_plugin.config import overrides
from s3prl_plugin.errors import UserError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0e-3", 1e-3),
        ("1e-3", 1e-3),
        ("-2", -2),
        ("'AdamW'", "AdamW"),
        ("AdamW", "AdamW"),
        ("['dev', 'test']", ["dev", "test"]),
        ("[dev, test]", ["dev", "test"]),
        ("{a: 1, b: [x]}", {"a": 1, "b": ["x"]}),
        ("('a', 1)", ["a", 1]),
        ("True", True),
        ("false", False),
        ("None", None),
        ("null", None),
        ("none", "none"),
        ("", ""),
        ("manifest:m40?phone_set=as_is", "manifest:m40?phone_set=as_is"),
        ("/data/a b", "/data/a b"),
        ("2024-13-45", "2024-13-45"),
        ("'1/2'", "1/2"),
        ("a/b", "a/b"),
        ("note: this", "note: this"),
    ],
)
def test_values(text, value):
    (change,) = overrides.parse(f"config.a={text}")
    assert (change.root, change.keys, change.value) == ("config", ("a",), value)
    assert type(change.value) is type(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("config.a=[1, 2", "is a bracket or a quote missing?"),
        ("config.a='b", "is a bracket or a quote missing?"),
        ("config.a={b: 1", "is a bracket or a quote missing?"),
        ("config.a=(1, 2", "is a bracket or a quote missing?"),
        ("config.a=2*3", "is not computed; give the number"),
        ("config.a=1/3", "is not computed; give the number"),
        ("config.a=[!!int '']", "cannot be read"),
        ("config.=1", "write config.KEY=VALUE"),
        ("config..a=1", "write config.KEY=VALUE"),
        ("config=1", "write config.KEY=VALUE"),
        ("runner.a=1", "write config.KEY=VALUE"),
        ("config.a", "write config.KEY=VALUE"),
        ("config.a=1,,", "write config.KEY=VALUE"),
        ("config.suite.plugin=x", "a flag on the command line only"),
        ("config.a={trust_remote_code: true}", "a flag on the command line only"),
        ("config.a={1: 2}", "the key 1 is no text"),
    ],
)
def test_what_is_no_change_is_told_in_one_line(text, told):
    with pytest.raises(UserError) as caught:
        overrides.parse(text)
    assert str(caught.value).startswith("-o ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_changes_are_made_in_order_and_in_place():
    args, config = (
        argparse.Namespace(seed=1, hub="torch", expdir="a", upstream_layer_selection=None),
        {"runner": {"total_steps": 3}, "name": "x"},
    )
    overrides.apply("args.seed=7,, config.runner.total_steps = 5 ,,config.new.deep=[a]", args, config)
    assert (args.seed, config) == (7, {"runner": {"total_steps": 5}, "name": "x", "new": {"deep": ["a"]}})
    for text, told in (
        ("args.sede=7", "did you mean 'seed'"),
        ("args.trust_remote_code=1", "there is no argument"),
        ("args.hub=huggingface", "the flag --hub only"),
        ("config.name.deep=1", "name holds a value, not keys"),
        ("args.seed=x", "the argument is a whole number"),
        ("args.seed=true", "the argument is a whole number"),
        ("args.expdir=2024", "the argument is text; give one, text in quotes if need be"),
        ("args.upstream_layer_selection=[1]", "the argument is text"),
    ):
        with pytest.raises(UserError, match=told):
            overrides.apply(text, args, config)


def test_nothing_is_said_or_done_without_one():
    assert overrides.parse(None) == overrides.parse("None") == overrides.parse("none") == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=6,
    )
)
def test_what_python_or_json_writes_is_read_back(value):
    assert overrides.read_value(repr(value)) == value
    if isinstance(value, (list, dict)) and "\\u" not in json.dumps(value):
        assert overrides.read_value(json.dumps(value)) == value


@settings(max_examples=300)
@given(st.text(alphabet="[]{}()'\":,=.!&*#|>%@-+/\\0123456789eE aconfigrs\n\t\x00é", max_size=40))
def test_any_text_is_a_change_or_one_line(text):
    with contextlib.suppress(UserError):
        overrides.parse(f"config.a={text}")
