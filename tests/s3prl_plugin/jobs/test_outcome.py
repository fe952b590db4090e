"""Why something failed, in a line, and the table of what became of a suite."""

import pytest
import torch

from s3prl_plugin.errors import UserError, reason
from s3prl_plugin.jobs.engine import Outcome, table


def caused(error, cause):
    error.__cause__ = cause
    return error


class Broken(torch.utils.data.Dataset):
    """Fails in the data loader's own process, with one error after the other."""

    def __init__(self, errors):
        self.errors = errors

    def __len__(self):
        return len(self.errors)

    def __getitem__(self, index):
        raise self.errors[index]


def raised(job):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever it is
        job()
    return caught.value


def test_the_same_reason_is_told_wherever_it_happened():
    cases = [
        (ValueError("no such"), "ValueError: no such"),
        (ValueError("no such:\n  a\n\nb"), "ValueError: no such: a b"),
        (KeyError("a"), "KeyError: 'a'"),
        (UserError("a.wav: broken"), "a.wav: broken"),
        (UserError("a.wav: broken,\nand b.wav"), "a.wav: broken, and b.wav"),
        (caused(UserError("a.wav: broken"), ValueError("no such")), "a.wav: broken"),
        (caused(ValueError("no such"), UserError("a.wav: broken")), "ValueError: no such"),
        (
            UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"),
            "UnicodeDecodeError: 'ascii' codec can't decode byte 0xff in position 0: no",
        ),
    ]
    errors = Broken([error for error, _ in cases])
    elsewhere = iter(torch.utils.data.DataLoader(errors, batch_size=None, num_workers=1))
    for error, told in cases:
        assert reason(error) == told
        assert reason(raised(lambda: next(elsewhere))) == told


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
