"""Sections on the terminal: everything that a section says is there, refusals with their reasons."""

import itertools
import string

import pytest

from s3prl_plugin.report import text as renderer
from s3prl_plugin.report.sections import Contrast, Section, Table


def contrast(label="a - b", value=0.1, **fields):
    numbers = {"value": value, "ci_low": value - 0.02, "ci_high": value + 0.02, "p": 0.0004}
    return Contrast(**{"label": label, "measure": "cca_word", "score": "r2", **numbers, **fields})


def table(title="cost"):
    return Table(title=title, columns=("model", "ms"), rows=(("a", 1.23456), ("b", None)), note="of one second")


def lines(*contrasts, **fields):
    return renderer.text([Section(name="n", title="Why?", contrasts=contrasts, **fields)]).splitlines()


def test_a_section_shows_all_that_it_has():
    text = renderer.text(
        [Section(name="n", title="Why?", verdict="Because.", notes=("Mind this.",), tables=(table(),))], ["A check."]
    )
    assert text.startswith("! A check.\n\nWhy?\n====\n\nBecause.\n")
    assert "- Mind this." in text
    assert [line.split() for line in text.splitlines() if line.startswith("  ")] == [
        ["model", "ms"],
        ["a", "1.2346"],
        ["b", "-"],
    ]
    assert "of one second" in text


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"family": "f", "p_holm": 0.01}, ["+0.100*", "+0.080", "to", "+0.120", "<.001", "0.010"]),
        ({"family": "f", "p_holm": 0.06}, ["+0.100", "+0.080", "to", "+0.120", "<.001", "0.060"]),
        ({}, ["+0.100", "+0.080", "to", "+0.120", "<.001", "exploratory"]),
        ({"grey": "context"}, ["(+0.100)", "+0.080", "to", "+0.120", "<.001", "exploratory"]),
        ({"ci_low": None, "ci_high": None, "p": None}, ["+0.100", "exploratory"]),
    ],
)
def test_a_contrast_is_a_line(fields, shown):
    (line,) = [line for line in lines(contrast(**fields)) if "a - b" in line]
    assert line.split() == ["a", "-", "b", "cca_word", "r2", *shown]
    if "grey" in fields:
        assert "( ) context" in lines(contrast(**fields))


def test_the_family_says_for_how_many_it_corrects():
    said = "\n".join(lines(*(contrast(family="f", p_holm=0.5) for _ in range(3)), contrast()))
    assert "adjusted within the declared family: f (3)" in said


def test_contrasts_stand_under_what_they_isolate():
    found = lines(contrast("one", isolates="the grid"), contrast("two"), contrast("three", isolates="the grid"))
    order = [found.index(next(line for line in found if word in line)) for word in ("The grid:", "one", "three", "two")]
    assert order == sorted(order)


def test_refusals_with_one_reason_are_told_together():
    refused = [
        Contrast(label="a - b", measure=measure, score="", refused="too few") for measure in ("cca_word", "mi_word")
    ]
    found = lines(*refused)
    assert [line.split()[-2:] for line in found if "a - b" in line] == [["-", "a"]] * 2
    assert found.count("- a: too few") == 1


def test_many_tables_can_be_left_out():
    section = Section(name="n", title="Why?", tables=tuple(table(f"number {i}") for i in range(5)))
    assert "number 4" in renderer.text([section])
    brief = renderer.text([section], brief=True)
    assert "number 4" not in brief
    assert "5 tables are left out here" in brief


def test_reasons_have_letters_as_the_columns_of_a_spreadsheet():
    names = ["".join(letters) for n in (1, 2) for letters in itertools.product(string.ascii_lowercase, repeat=n)]
    assert [renderer._letter(i) for i in range(len(names))] == names
