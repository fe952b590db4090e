"""docs/encoders.md lists the families that there are, and the options."""

import dataclasses
from pathlib import Path

from s3prl_plugin.upstream.hf import families
from s3prl_plugin.upstream.hf.options import Options

PAGE = Path(__file__).parents[3] / "docs" / "encoders.md"


def rates(ms):
    values = {name: value if isinstance(value, list) else [value] for name, value in ms.items()}
    return ", ".join(f"{name} {' '.join(f'{each:g}' for each in each_of)}" for name, each_of in values.items())


def test_the_table_is_that_of_the_code():
    section = PAGE.read_text().partition("## Families")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    wanted = [f"| {each.name} | {', '.join(each.types)} | {rates(each.ms)} |" for each in families.families()]
    assert lines[1:] == wanted


def test_every_option_is_named():
    text = PAGE.read_text()
    assert all(f"`{field.name}`" in text or f"`{field.name}:" in text for field in dataclasses.fields(Options))
