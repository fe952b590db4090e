"""YAML of plain values: what is more than that is one line."""

import contextlib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from s3prl_plugin import config
from s3prl_plugin.config import plain_yaml
from s3prl_plugin.errors import UserError


def refusal(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        config.read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 0x_\n", ", line 2: not valid YAML ('0x_' is no int)"),
        ('a: !!int ""\n', ", line 1: not valid YAML ('' is no int)"),
        ("a:\n  - !!float x\n", ", line 2: not valid YAML ('x' is no float)"),
        ("a: !!bool x\n", ", line 1: not valid YAML ('x' is no bool)"),
        (f"a: {'9' * 5000}\n", "is no int"),
        ("a: !!binary MSArIDE=\n", ", line 1: not valid YAML"),
        ("a: !!set {b}\n", ", line 1: not valid YAML"),
        ("a: !!timestamp x\n", ", line 1: not valid YAML"),
        ("a: !!python/tuple [1]\n", ", line 1: not valid YAML"),
        ("a: &b\n  c: *b\n", ", line 1: an alias stands for what holds it"),
        ("&a [*a]\n", ", line 1: an alias stands for what holds it"),
        ("? [1, 2]\n: 3\n", "not valid YAML"),
        ("? {a: 1}\n: 3\n", "not valid YAML"),
        ("a: 'b\n", "not valid YAML"),
        ("a: [1\n", "not valid YAML"),
        ("a: \x00\n", "not valid YAML"),
        ("--- a\n--- b\n", "not valid YAML"),
        (b"a: \xff\n", "not a text file"),
        ("[" * 3000, "not valid YAML"),
        ("1: 2\n", ", line 1: the key 1 is no text; put it in quotes"),
        ("a: {b: {no: 2}}\n", ", line 1: the key False is no text; put it in quotes"),
    ],
)
def test_what_is_not_plain_is_told_with_its_line(tmp_path, text, told):
    assert told in refusal(tmp_path, text)


def test_aliases_are_counted_wherever_they_stand(tmp_path):
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 5)]
    assert "its aliases stand for more than 100000 values" in refusal(tmp_path, "\n".join(levels))
    (tmp_path / "few.yaml").write_text("\n".join(levels[:3]))
    read = config.read(tmp_path / "few.yaml")
    assert len(read.data["a2"]) == 10


def test_a_file_that_no_configuration_is_large_enough_for(tmp_path):
    assert "larger than a configuration can be" in refusal(tmp_path, "#" * (5 << 20))


def test_dates_are_text():
    assert config.parse("{a: 2024-01-01, b: 2024-13-45}") == {"a": "2024-01-01", "b": "2024-13-45"}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(PLAIN)
def test_what_is_plain_is_read_as_it_was_written(value):
    assert config.parse(yaml.safe_dump(value)) == value


@settings(max_examples=300)
@given(st.text(alphabet="[]{}&*!|>'\"%@`#,:?-\\ \n\tab019._xeE~<=", max_size=60))
def test_any_text_is_read_as_the_reference_reads_it_or_refused(text):
    with contextlib.suppress(plain_yaml.NotPlainError):
        found = plain_yaml.load(text)[1]
        reference = yaml.load(text, Loader=yaml.SafeLoader)
        assert found == reference or found != found or "19" in text or "01" in text
