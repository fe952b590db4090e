"""A question is answered once: over seeds where there are seeds, else of pairs."""

from s3prl_plugin.report.sections import Contrast, Section, asked_once


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
