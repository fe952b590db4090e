"""HQA as an upstream of s3prl: taps, lengths, options, and the model that comes with the package."""

import inspect

import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.states.featurizer import StatesFeaturizer
from s3prl_plugin.upstream.hqa import hubconf
from s3prl_plugin.upstream.hqa.checkpoint import load
from s3prl_plugin.upstream.hqa.entries import ENTRIES
from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.model import HQA
from s3prl_plugin.upstream.hqa.network.quantiser import Quantiser

STRIDES = (160, 320, 640, 1280, 2560)


@pytest.fixture(scope="module")
def tiny():
    return hubconf.hqa_tiny().eval()


def speech(samples, seed=0):
    """Noise whose loudness and colour wander."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(samples, generator=draw)
    loudness = torch.nn.functional.interpolate(torch.randn(1, 1, 20, generator=draw), size=samples, mode="linear")[0, 0]
    return 0.05 * noise.cumsum(0).remainder(1) * loudness.exp() + 0.01 * noise


@pytest.mark.parametrize("samples", [160, 161, 399, 2560, 15999, 16000, 16001, 40161])
def test_every_tap_has_the_frames_that_its_stride_explains(tiny, samples):
    states = tiny([speech(samples)])["states"]
    assert [tap.name for tap in states.taps] == [
        f"level{level}.{kind}" for level in range(5) for kind in ("continuous", "quantised")
    ]
    assert [tap.stride for tap in states.taps] == [stride for stride in STRIDES for _ in range(2)]
    features = samples // 80
    for tap, x, lengths in zip(states.taps, states.tensors, states.lengths, strict=True):
        wanted = -(-features // (tap.stride // 80))
        assert lengths.tolist() == [wanted]
        assert x.shape == (1, wanted, 64)
        assert abs(wanted - samples / tap.stride) <= 1


def test_an_utterance_is_the_same_to_the_bit_in_any_batch(tiny):
    waveforms = [speech(n, seed=n) for n in (16001, 700, 9999, 23456)]
    together, turned = tiny(waveforms), tiny(waveforms[::-1])
    for i, waveform in enumerate(waveforms):
        alone = tiny([waveform])
        for tap in range(10):
            mine = alone["states"].utterance(tap, 0)
            assert torch.equal(together["states"].utterance(tap, i), mine)
            assert torch.equal(turned["states"].utterance(tap, 3 - i), mine)
        for level in range(5):
            codes = alone["codes"][level][0]
            assert torch.equal(together["codes"][level][i, : len(codes)], codes)


def test_codes_are_rows_of_the_codebook_and_follow_the_posterior(tiny):
    found = tiny([speech(32000)])
    for level, codes in enumerate(found["codes"]):
        book = tiny.model.level(level).quantiser.codebook
        assert torch.equal(found["states"][f"level{level}.quantised"][0], book[codes[0]])
        z = found["states"][f"level{level}.continuous"][0]
        log_q = Quantiser.log_posterior(torch.cdist(z, book).square())
        chosen = log_q.gather(1, codes[0][:, None])
        assert chosen.mean() > log_q.mean(), "codes that are likelier than others"


def test_the_seed_decides_the_codes():
    waveform = speech(32000)
    first, again, other = (hubconf.hqa_tiny(seed=seed)([waveform])["codes"] for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    first, other = (hubconf.hqa_tiny(seed=seed, choice="most_probable")([waveform])["codes"] for seed in (1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_dictionary_is_what_s3prl_asks_for(tiny):
    found = tiny([speech(16000), speech(9000)])
    assert len(found["hidden_states"]) == 10
    assert {x.shape for x in found["hidden_states"]} == {(2, 100, 64)}
    coarse = found["level4.continuous"]
    assert torch.equal(found["hidden_states"][8][:, 15], coarse[:, 0])
    assert torch.equal(found["hidden_states"][8][:, 16], coarse[:, 1])
    assert [x.shape[1] for x in found["hidden_states_80ms"]] == [13, 13]
    assert torch.equal(found["last_hidden_state"], found["level4.quantised"])
    for key, rate in (("hidden_states", 160), ("hidden_states_80ms", 1280), ("level1.quantised", 320)):
        assert tiny.get_downsample_rates(key) == rate
    assert tiny.get_downsample_rates("codes") == list(STRIDES)
    with pytest.raises(UserError, match=r"did you mean 'level1\.quantised'"):
        tiny.get_downsample_rates("level1.quantized")
    assert StatesFeaturizer(tiny).taps == tiny.taps


def test_lower_levels_leave_more_of_the_spectrum(tiny):
    waveforms = [speech(24000, seed=seed) for seed in range(4)]
    states = tiny(waveforms)["states"]

    def error(level):
        pairs = [states.decoded(2 * level + 1, i) for i in range(len(waveforms))]
        assert all(heard.shape == left.shape == (300, 80) for heard, left in pairs)
        return torch.cat([(heard - left).square().flatten() for heard, left in pairs]).mean().sqrt()

    assert error(0) < error(3)


def test_a_grid_brings_taps_down_and_leaves_no_codes_behind():
    pooled = hubconf.hqa_tiny(pool_to="mean:40")
    states = pooled([speech(16000)])["states"]
    assert states.taps == pooled.taps
    assert [tap.stride for tap in states.taps] == [640] * 6 + [1280] * 2 + [2560] * 2
    assert [tap.codes for tap in states.taps if tap.layer == "quantised"] == [None, None, 256, 256, 256]
    whole = hubconf.hqa_tiny()([speech(16000)])["states"]
    torch.testing.assert_close(states["level0.quantised"][0, 1], whole["level0.quantised"][0, 4:8].mean(0))


def test_random_weights_are_others_and_their_own_seeds():
    waveform = speech(8000)
    before = torch.get_rng_state()
    trained, one, same, other = (
        hubconf.hqa_tiny(**options)([waveform])["level2.continuous"]
        for options in ({}, *({"random_weights": True, "seed": seed} for seed in (0, 0, 1)))
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one, trained)
    assert torch.equal(before, torch.get_rng_state())
    described = hubconf.hqa_tiny(random_weights=True).describe()
    assert (described["weights"], described["train_step"], described["pretraining"]) == ("random", 0, None)


def test_native_rates():
    native = hubconf.hqa_tiny(native=True)
    assert native.get_downsample_rates("hidden_states") == [stride for stride in STRIDES for _ in range(2)]
    assert [x.shape[1] for x in native([speech(16000)])["hidden_states"][::2]] == [100, 50, 25, 13, 7]


def test_what_it_says_of_itself(tiny):
    described = tiny.describe()
    assert described["weights"] == "trained"
    assert described["params"] == sum(p.numel() for p in tiny.parameters()) < 1_000_000
    assert "generated speech" in described["pretraining"]
    assert described["train_step"] > 0
    assert tiny.bits_per_s == (800.0, 400.0, 200.0, 100.0, 50.0)
    assert hubconf.TINY.stat().st_size < 2_000_000


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"choise": "sample"}, "did you mean 'choice'"),
        ({"choice": "argmax"}, "most_probable"),
        ({"random_weights": 1}, "random_weights"),
        ({"seed": -1}, "seed"),
        ({"pool_to": "mean"}, "pool_to"),
        ({"ckpt": "x.pt"}, "hqa_local"),
    ],
)
def test_options_that_cannot_be_are_refused(options, named):
    with pytest.raises(UserError, match=named):
        hubconf.hqa_tiny(**options)


def test_checkpoints_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(UserError, match="give its path with -k"):
        hubconf.hqa_local()
    images = load.save(tmp_path / "images", HQA(Config(dims=2, channels=1, hidden=4, codes=4, code_dim=4)))
    with pytest.raises(UserError, match="a model of images"):
        hubconf.hqa_local(images)


@pytest.mark.parametrize(
    ("waveforms", "named"),
    [
        ([], "without waveforms"),
        ([torch.zeros(159)], "159 samples"),
        ([torch.zeros(2, 800)], "2 x 800"),
        ([torch.zeros(800, dtype=torch.int16)], "int16"),
        ([torch.zeros(800), torch.full((800,), float("inf"))], "utterance 1"),
    ],
)
def test_waveforms_that_cannot_be_are_refused(tiny, waveforms, named):
    with pytest.raises(UserError, match=named):
        tiny(waveforms)


def test_a_flat_vq_vae_is_an_upstream_too(tmp_path):
    torch.manual_seed(0)
    path = load.save(tmp_path / "flat", HQA(Config(hidden=8, codes=16).flat_at(3)))
    flat = hubconf.hqa_local(path)
    assert [(tap.name, tap.stride) for tap in flat.taps] == [("level0.continuous", 1280), ("level0.quantised", 1280)]
    found = flat([speech(16000)])
    nearest = torch.cdist(found["level0.continuous"][0], flat.model.level(0).quantiser.codebook).argmin(-1)
    assert torch.equal(found["codes"][0][0], nearest)


def test_entries_take_what_s3prl_gives():
    for entry in ENTRIES:
        assert list(inspect.signature(getattr(hubconf, entry)).parameters) == [
            "ckpt",
            "model_config",
            "refresh",
            "options",
        ]
