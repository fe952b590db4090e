"""The pages of the reference, which are made from the code."""

import importlib.util

import examples
import pytest

from s3prl_plugin import commands, registry
from s3prl_plugin.analysis import about
from s3prl_plugin.results import FIELDS


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("pages", examples.ROOT / "docs" / "_site" / "pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(page):
    """The lines of a page's tables, as cells."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]


def test_every_field_of_a_row_is_explained(pages):
    found = {line[0].strip("`"): line[-1] for line in cells(pages.results()) if len(line) == 4}
    assert found.keys() >= FIELDS
    assert [name for name in FIELDS if not found[name]] == []


def test_several_names_share_an_explanation_and_a_line_that_is_broken_is_one(pages):
    said = "W.\n\n    Attributes:\n        a, b: of both,\n            in two lines: here.\n        c: alone.\n    "
    both = "of both, in two lines: here."
    assert pages.explained(said) == {"a": both, "b": both, "c": "alone."}


def test_every_measure_and_every_score_has_its_place(pages):
    page = pages.measures()
    for name, measure in about.everything().items():
        if measure.package in registry.analyses():
            assert f"`{name}`" in page
            assert all(f"**`{score}`**" in page for score in measure.scores)


def test_every_packaged_configuration_is_shown(pages):
    page = pages.configurations()
    for path in (examples.ROOT / "configs").rglob("*.yaml"):
        assert f"### {path.relative_to(examples.ROOT / 'configs').as_posix()}\n" in page
    assert all(f"### -d {name}\n" in page for name in registry.analyses())


def test_every_command_shows_its_help(pages):
    page = pages.command_line()
    assert all(f"## {name}\n" in page for name in commands.COMMANDS)
    assert page.count("usage: s3prl-plugin") == len(commands.COMMANDS) - 1  # `pretrain` is of python -m
