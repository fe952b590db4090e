"""`shown`: in a share of the utterances nothing is hidden, and the same frames are asked for."""

import numpy as np
import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.pretrain import options as pretrain_options
from s3prl_plugin.upstream.mr_hubert.pretrain.masks import plan

NAMES = [f"u{i}" for i in range(400)]


def drawn(shown):
    options = pretrain_options.read({"model": {}, "objective": {"mask_prob": 0.5, "mask_length": 4, "shown": shown}})
    lengths = [40 * 320 + 80] * len(NAMES)
    units = torch.zeros(len(NAMES), 40, dtype=torch.long)
    return plan(NAMES, lengths, [units], options.config, options.objective, (1, "masks", 7))


def test_a_share_of_the_utterances_is_seen_whole_and_the_others_are_hidden_as_ever():
    usual, some = drawn(0.0).mask, drawn(0.3).mask
    seen = ~some.any(1)
    assert usual.any(1).all()
    assert torch.equal(some[~seen], usual[~seen])
    assert abs(float(seen.float().mean()) - 0.3) < 4 * np.sqrt(0.3 * 0.7 / len(NAMES))
    assert not drawn(1.0).mask.any()


@pytest.mark.parametrize("shown", [0.3, 1.0])
def test_what_is_asked_for_stays(shown):
    for one, other in zip(drawn(0.0).asked, drawn(shown).asked, strict=True):
        assert torch.equal(one.rows, other.rows)
        assert torch.equal(one.frames, other.frames)


@pytest.mark.parametrize("value", [-0.1, 1.5, True, "half"])
def test_it_is_a_share(value):
    with pytest.raises(UserError, match=r"shown: .* is not possible; give a number from 0 to 1"):
        pretrain_options.read({"model": {}, "objective": {"shown": value}})
