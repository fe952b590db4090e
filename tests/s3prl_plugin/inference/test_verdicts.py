"""Words follow from intervals."""

import pytest

from s3prl_plugin.inference.verdicts import of_all, verdict


@pytest.mark.parametrize(
    ("interval", "bounds", "word"),
    [
        ((0.01, 0.2), (), "holds at this scale"),
        ((-0.01, 0.2), (), "not decided"),
        ((-0.2, -0.01), (), "does not"),
        ((0.0, 0.2), (), "not decided"),
        ((0.01, 0.2), (0.05,), "not decided"),
        ((0.01, 0.04), (0.05,), "does not"),
        ((-0.015, -0.001), (-0.02, 0.0), "holds at this scale"),
        ((-0.03, -0.001), (-0.02, 0.0), "does not"),
        ((-0.03, 0.001), (-0.02, 0.0), "not decided"),
        ((None, None), (), "not decided"),
    ],
)
def test_the_word_of_an_interval(interval, bounds, word):
    assert verdict(*interval, *bounds) == word


def test_one_part_that_does_not_hold_decides_and_one_that_is_open_leaves_open():
    assert of_all(["holds at this scale", "holds at this scale"]) == "holds at this scale"
    assert of_all(["holds at this scale", "not decided"]) == "not decided"
    assert of_all(["not decided", "does not", "holds at this scale"]) == "does not"
