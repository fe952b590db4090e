"""The zones of refused and grey numbers."""

import pytest

from s3prl_plugin.inference.refusal import Refused, chance_limit, data_limit


@pytest.mark.parametrize(
    ("n_train", "refused", "grey"),
    [(0, True, False), (199, True, False), (200, False, True), (499, False, True), (500, False, False)],
)
def test_rows_per_dimension(n_train, refused, grey):
    verdict = data_limit(n_train, 100)
    assert (verdict.refused is not None, verdict.grey is not None) == (refused, grey)


@pytest.mark.parametrize(
    ("share", "refused", "grey"),
    [(0.0, False, False), (0.3, False, False), (0.31, False, True), (0.5, False, True), (0.51, True, False)],
)
def test_share_that_chance_gives(share, refused, grey):
    verdict = chance_limit(share)
    assert (verdict.refused is not None, verdict.grey is not None) == (refused, grey)


def test_a_refusal_is_one_line_with_reason_and_cure():
    with pytest.raises(Refused, match=r"150 training rows for 100 dimensions.*would help") as caught:
        data_limit(150, 100).check()
    assert "\n" not in caught.value.reason
    data_limit(300, 100).check()
