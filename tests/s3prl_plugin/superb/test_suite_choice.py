"""--tasks: some of a suite's tasks, in the suite's order."""

import pytest

from s3prl_plugin.errors import UserError
from s3prl_plugin.superb import choose

SUITE = {"corpus": "generated", "analyses": {"mi": {}}, "tasks": {"PR": {"corpus": "a"}, "KS": None, "QbE": {}}}


@pytest.mark.parametrize(
    ("names", "left"),
    [("KS", ["KS"]), ("QbE,PR", ["PR", "QbE"]), (" KS , PR ", ["PR", "KS"]), ("KS,KS", ["KS"]), ("none", [])],
)
def test_what_is_named_is_left(names, left):
    chosen = choose(SUITE, names)
    assert list(chosen["tasks"]) == left
    assert {key: value for key, value in chosen.items() if key != "tasks"} == {
        "corpus": "generated",
        "analyses": {"mi": {}},
    }
    assert all(chosen["tasks"][name] == SUITE["tasks"][name] for name in left)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("KSS", "did you mean 'KS'"),
        ("ks", "did you mean 'KS'"),
        ("qbe", "did you mean 'QbE'"),
        ("PR,ASR", "has no ASR; it has PR, KS, QbE"),
        ("ST", "fairseq"),
        ("", "''"),
        ("KS,", "''"),
    ],
)
def test_what_is_not_there_is_refused(names, told):
    with pytest.raises(UserError, match=r"^--tasks ") as caught:
        choose(SUITE, names)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_something_must_be_left_to_run():
    with pytest.raises(UserError, match="nothing would be left"):
        choose({"tasks": {"KS": {}}}, "none")
    with pytest.raises(UserError, match="it has no tasks"):
        choose({"analyses": {"mi": {}}}, "KS")
