"""A question is answered once: over seeds where there are seeds, else of pairs."""

from s3prl_plugin.report.sections import Contrast, Section, Table, asked_once, merged, said_once, written


def section(name, **contrast):
    given = (Contrast(label="x", measure="cca_word", score="r2", **contrast),) if contrast else ()
    return Section(name=name, title=name, contrasts=given)


PAIRS = (section("loss", value=0.1), section("rate", value=0.1), section("words", value=0.1), section("costs"))


def names(sections):
    return [each.name for each in sections]


def test_a_factorial_over_seeds_answers_for_the_pairs():
    found = asked_once((section("factorial", value=0.1), *PAIRS))
    assert names(found) == ["factorial", "costs"]


def test_a_factorial_of_too_few_seeds_or_none_leaves_them():
    refused = section("factorial", refused="2 seeds; 3 are needed")
    assert names(asked_once((refused, *PAIRS))) == ["factorial", *names(PAIRS)]
    assert asked_once(PAIRS) == PAIRS


def test_reasons_that_differ_in_numbers_alone_are_one():
    reasons = [
        "2.4 rows per dimension, 3 wanted",
        "1.9 rows per dimension, 3 wanted",
        "too few",
        "2.4 rows per dimension, 3 wanted",
    ]
    assert merged(reasons) == ["1.9 to 2.4 rows per dimension, 3 wanted", "too few"]
    assert merged(["10 of 12", "9 of 12"]) == ["9 to 10 of 12"]
    names = ["a1, mid.layer0: not run with mean:40", "a1, mid.layer1: not run with mean:80"]
    assert merged(names) == names


def test_a_note_is_said_where_it_is_first_needed():
    first, second = (Section(name=name, title=name, notes=("both", name)) for name in "ab")
    assert [each.notes for each in said_once([first, second])] == [("both", "a"), ("b",)]


def test_columns_know_their_numbers():
    table = Table(columns=("what", "value", "p"), rows=(("x", 0.5, 0.0001), ("y", 0.125, 0.25), ("z", None, None)))
    shown = [[written(cell, head) for cell, head in zip(row, table.heads, strict=True)] for row in table.cells]
    assert shown == [["x", "0.500", "<.001"], ["y", "0.125", "0.250"], ["z", "-", "-"]]
    assert Section(name="n", title="", tables=(table,)).as_json()["tables"][0]["rows"][1] == ["y", 0.125, 0.25]
