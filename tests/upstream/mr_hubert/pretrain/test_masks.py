"""Which frames are hidden: against the function that HuBERT uses, in s3prl's copy, and by the properties of masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3prl_plugin.upstream.mr_hubert.pretrain.masks import at_resolutions, output_frames, plan, span_mask
from s3prl_plugin.upstream.mr_hubert.pretrain.options import Objective, read


def runs(mask):
    """The lengths of the stretches of hidden frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return edges[1::2] - edges[::2]


@pytest.mark.parametrize(("frames", "length", "prob"), [(200, 10, 0.8), (60, 10, 0.65), (40, 4, 0.5)])
def test_spans_are_distributed_as_huberts(frames, length, prob):
    import s3prl_plugin

    s3prl_plugin.register()
    from s3prl.upstream.wav2vec2.wav2vec2_model import compute_mask_indices

    objective = Objective(mask_prob=prob, mask_length=length)
    draw = np.random.default_rng(0)
    ours = np.stack([span_mask(frames, objective, draw) for _ in range(4000)])
    np.random.seed(1)
    many = compute_mask_indices((4000, frames), None, prob, length, min_masks=2, require_same_masks=False)
    # without a padding mask the number of spans is rounded once for the batch: with one, for every utterance
    theirs = [
        compute_mask_indices((1, frames), None, prob, length, min_masks=2, require_same_masks=False)[0]
        for _ in range(4000)
    ]
    assert many.shape == ours.shape
    theirs = np.stack(theirs)
    error = 5 * np.sqrt(theirs.mean(1).var() / 4000 * 2)
    assert abs(ours.mean() - theirs.mean()) < error
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=5 * np.sqrt(0.5 / 4000))
    count = [np.mean([len(runs(mask)) for mask in each]) for each in (ours, theirs)]
    assert count[0] == pytest.approx(count[1], rel=0.05)
    assert min(min(runs(mask)) for mask in ours) >= length


@settings(max_examples=200, deadline=None)
@given(frames=st.integers(1, 80), length=st.integers(1, 20), spans=st.integers(1, 4), seed=st.integers(0, 99))
def test_something_is_hidden_in_an_utterance_of_any_length(frames, length, spans, seed):
    objective = Objective(mask_length=length, mask_min_spans=spans)
    mask = span_mask(frames, objective, np.random.default_rng(seed))
    assert mask.shape == (frames,)
    assert mask.any()


@settings(max_examples=100, deadline=None)
@given(
    frames=st.integers(1, 40),
    ratios=st.lists(st.sampled_from([(1, 1), (1, 2), (1, 3)]), max_size=3),
    seed=st.integers(0, 99),
)
def test_a_lower_rate_follows_the_first_frame_of_each_of_its_own(frames, ratios, seed):
    mask = np.random.default_rng(seed).random(frames) < 0.5
    down = at_resolutions(mask, ratios, back=False)
    back = at_resolutions(mask, ratios, back=True)
    factors = np.cumprod([1, *(step for _, step in ratios)])
    for factor, hidden, again in zip(factors, down, back, strict=True):
        assert hidden.tolist() == [bool(mask[j]) for j in range(0, frames, factor)]
        lowest = factors[-1] // factor
        assert again[: len(hidden)].tolist() == [bool(hidden[j // lowest * lowest]) for j in range(len(hidden))]


def test_an_utterances_mask_does_not_depend_on_its_batch():
    import torch

    options = read({"objective": {}})
    units = torch.zeros(3, 120, dtype=torch.long)

    def masks(names, lengths, key):
        found = plan(names, lengths, [units[: len(names)]], options.config, options.objective, key).mask
        return {
            n: found[i, : options.config.feature_frames(k)].tolist()
            for i, (n, k) in enumerate(zip(names, lengths, strict=True))
        }

    together = masks(["a", "b", "c"], [16000, 12000, 32000], (1, 2))
    assert masks(["b"], [12000], (1, 2)) == {"b": together["b"]}
    assert masks(["c", "a"], [32000, 16000], (1, 2)) == {name: together[name] for name in "ca"}
    assert masks(["b"], [12000], (1, 3)) != {"b": together["b"]}
    assert masks(["b"], [12000], (2, 2)) != {"b": together["b"]}


@pytest.mark.parametrize("ratios", [[], [1, 2], [1, 1], [1, 2, 1, 2], [1, 3]])
def test_output_frames_are_those_of_the_network(ratios):
    import torch
    from tones import MODEL

    from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT

    config = read({"model": {**MODEL, "label_rate_ratios": ratios, "conv_adapator_kernal": 7}}).config
    network = MRHuBERT(config).eval()
    for samples in range(3000, 5000, 320):
        with torch.no_grad():
            states = network(torch.zeros(1, samples), [samples])
        lengths = [state.lengths[0] for state in states if state.name.startswith("res_out")]
        assert output_frames(config.feature_frames(samples), config) == lengths[::-1]


@pytest.mark.parametrize(("ratios", "whole"), [([1, 2], 13), ([1, 2, 1, 2], 6), ([1, 3], 9)])
def test_a_frame_counts_where_all_of_its_units_are_there(ratios, whole):
    """Of 27 units the last gives no frame at 40 ms, the last three none at 80 ms."""
    import torch
    from tones import MODEL

    options = read({"model": {**MODEL, "label_rate_ratios": ratios}, "objective": {"mask_length": 3}})
    units = torch.full((1, 28), -1)
    units[0, :27] = torch.arange(27)
    factor, seen = 27 // whole, set()
    for key in range(60):
        found = plan("a", [9279], [units], options.config, options.objective, (key,))
        assert found.asked[0].frames.tolist() == [i for i in range(27) if found.mask[0, i]]
        lowest = found.asked[-1]
        assert lowest.frames.tolist() == [j for j in range(whole) if found.mask[0, factor * j]]
        assert lowest.units.tolist() == [factor * j for j in lowest.frames.tolist()]
        seen |= set(torch.nonzero(found.mask[0]).flatten().tolist())
    assert len(seen) >= 27  # also the frames that must not count were hidden
