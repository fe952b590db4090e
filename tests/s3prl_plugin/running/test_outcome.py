"""Why something failed, in a line, and the table of what became of a suite."""

import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.running.outcome import Outcome, reason, table


class Broken(torch.utils.data.Dataset):
    """Fails in the data loader's own process."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise self.error


def raised(job):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever it is
        job()
    return caught.value


@pytest.mark.parametrize(
    ("error", "told"), [(ValueError("no such"), "ValueError: no such"), (UserError("a.wav: broken"), "a.wav: broken")]
)
def test_the_same_reason_is_told_wherever_it_happened(error, told):
    assert reason(error) == told
    loader = torch.utils.data.DataLoader(Broken(error), num_workers=1)
    assert reason(raised(lambda: next(iter(loader)))) == told


def test_an_error_that_says_nothing_is_told_by_its_place():
    def fails():
        raise NotImplementedError

    line = fails.__code__.co_firstlineno + 1
    assert reason(raised(fails)) == f"NotImplementedError in {__file__}, line {line}"


def test_the_table_has_a_line_for_each():
    outcomes = [
        Outcome("analyses", "cca, mi", 61.0),
        Outcome("KS", "accuracy 0.9312"),
        Outcome("SID", seconds=5.0, failure="no room"),
    ]
    assert [line.split(maxsplit=2) for line in table(outcomes).splitlines()] == [
        ["analyses", "1:01", "cca, mi"],
        ["KS", "finished", "before  accuracy 0.9312"],
        ["SID", "0:05", "failed: no room"],
    ]
