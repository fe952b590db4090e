"""`python -m benchmarks protocol`: both ways give the same scores, and it measures what it says, in its quick size."""

import json

import numpy as np
import pytest

from benchmarks import plain_protocol, protocol
from benchmarks.__main__ import main
from s3prl_plugin.errors import UserError

EPSILON = (1e-10, 1e-10)


def test_the_plain_way_finds_planted_correlations():
    draw = np.random.default_rng(0)
    common = draw.standard_normal((3, 4000))
    x = np.concatenate([common, draw.standard_normal((2, 4000))])
    y = draw.standard_normal((3, 3)) @ common
    fitted = plain_protocol.fit(x, y, EPSILON)
    assert plain_protocol.evaluate(fitted, x, y).score == pytest.approx(1, abs=1e-6)
    fitted = plain_protocol.fit(x, draw.standard_normal((3, 4000)), EPSILON)
    assert abs(plain_protocol.evaluate(fitted, x, draw.standard_normal((3, 4000))).score) < 0.1


def test_the_command_gives_a_line_per_measure(capsys):
    assert main(["protocol", "--quick", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"].split(",")[0] for row in rows] == ["cca_mel", "cca_intra"]
    assert all(row["ratio"] > 0 and row["bar"] is None for row in rows)


def test_ways_that_disagree_are_not_compared(monkeypatch):
    monkeypatch.setattr(protocol.plain_protocol, "trial", lambda *_: plain_protocol.PlainScores(0.5, 0.5))
    with pytest.raises(UserError, match="cca_mel: the plain way and ours differ"):
        protocol._compare(protocol.Size("cca_mel", 500, 8, 4, None))
