"""Configuration strings are computed, never run."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3prl_plugin.errors import UserError
from s3prl_plugin.files.expressions import evaluate

PUBLISHED = "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2"


def test_published_strings():
    assert evaluate(PUBLISHED) == [(512, 10, 5), *[(512, 3, 2)] * 4, *[(512, 2, 2)] * 2]
    assert evaluate("[3,2,2,2,3]") == [3, 2, 2, 2, 3]
    assert evaluate(" 2 * [(4, 3, 2)] ") == [(4, 3, 2)] * 2
    assert evaluate("[]") == []


NUMBERS = st.integers(0, 99).map(str)
LISTS = st.lists(NUMBERS, max_size=4).map(lambda items: "[" + ",".join(items) + "]")
SUMS = st.recursive(
    LISTS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} + {pair[1]})"),
        st.tuples(inner, st.integers(0, 3)).map(lambda pair: f"({pair[0]}) * {pair[1]}"),
    ),
    max_leaves=8,
)


@given(SUMS)
def test_agrees_with_python_on_what_is_allowed(text):
    assert evaluate(text) == eval(text)


@pytest.mark.parametrize(
    "text",
    [
        "len('ab')",
        "(lambda: 1)()",
        "[x for x in (1, 2)]",
        "abs(1)",
        "'a' * 3",
        "1.5",
        "True",
        "[1] - [2]",
        "[1] + (2,)",
        "-1",
        "2 ** 100000",
        "f'{1}'",
        "a",
        "[1",
        "",
        "\x00",
        "[*[1]]",
        "(1).__class__",
    ],
)
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(UserError) as error:
        evaluate(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "[1] * 1000000",
        "[1] * 1000000000000",
        "[[1] * 9000] * 9000",
        "(" * 5000 + "1" + ")" * 5000,
        "[" * 5000 + "]" * 5000,
        "1" * 9999,
        "+".join(["[1]"] * 4000),
        "[0]*0*1000000000*1000000000",
        "[1] * -5 * 99999999999",
        "9" * 20000,
        "1*" * 4000 + "1",
    ],
)
def test_large_or_deep_expressions_end_quickly(text):
    start = time.process_time()
    try:
        assert evaluate(text) in (1, [], [0], [1] * 4000)
    except UserError as error:
        message = str(error)
    else:
        message = ""
    assert len(message) < 300
    assert time.process_time() - start < 2


@settings(max_examples=200)
@given(st.text(alphabet="[](),+*-0123456789 ax.'_", max_size=60))
def test_any_text_gives_a_value_or_a_user_error(text):
    try:
        value = evaluate(text)
    except UserError:
        return
    assert isinstance(value, (int, list, tuple))
