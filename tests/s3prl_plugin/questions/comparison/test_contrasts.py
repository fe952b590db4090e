"""Holm's correction stays within its declared family."""

from s3prl_plugin.questions.comparison.contrasts import corrected
from s3prl_plugin.report.sections import Contrast


def contrast(p, family):
    return Contrast(label="l", measure="m", score="s", value=0.1, p=p, family=family)


def test_each_family_is_corrected_by_itself_and_the_rest_not_at_all():
    refused = Contrast(label="l", measure="m", score="s", refused="no")
    found = corrected(
        [contrast(0.01, "one"), contrast(0.02, "two"), contrast(0.001, None), contrast(0.03, "one"), refused]
    )
    assert [each.p_holm for each in found] == [0.02, 0.02, None, 0.03, None]
    assert [each.p for each in found] == [0.01, 0.02, 0.001, 0.03, None]
