"""What a shell is told may come next, asked as argcomplete's scripts ask."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("argcomplete")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("s3prl-plugin rep", {"report"}),
        ("s3prl-plugin report --fi", {"--figures"}),
        ("s3prl-plugin run --ta", {"--tasks"}),
    ],
)
def test_commands_and_flags_are_completed(line, expected):
    asked = {
        "_ARGCOMPLETE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
        "_ARGCOMPLETE_IFS": " ",
    }
    words = [sys.executable, "-m", "s3prl_plugin"]
    done = subprocess.run(["bash", "-c", '"$@" 8>&1 9>/dev/null', "bash", *words], env={**os.environ, **asked},
                          capture_output=True, text=True, timeout=120, check=True)  # fmt: skip
    assert {word.strip() for word in done.stdout.split()} == expected
