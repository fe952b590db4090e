"""The upstream as s3prl and our analyses see it."""

import copy
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.states import pooling
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert
from s3prl_plugin.upstream.mr_hubert.hubconf import hubert_fairseq_local, mr_hubert_local

EXCERPT = Path(__file__).parents[2] / "data" / "mr_hubert" / "checkpoint.pt"


def noise(*lengths, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, generator=generator) * 0.3 for length in lengths]


@pytest.fixture(scope="module")
def two():
    return mr_hubert_local(EXCERPT).eval()


@pytest.fixture(scope="module")
def three_path(tmp_path_factory):
    config = small.small_config(layers=(1, 2, 1, 2, 1), ratios=((1, 2), (1, 2)), adapter_kernel=7)
    return small.write_random_checkpoint(tmp_path_factory.mktemp("three") / "c.pt", config)


def run(upstream, waveforms):
    with torch.no_grad():
        return upstream(waveforms)


def test_keys_shapes_and_rates(three_path):
    upstream = mr_hubert_local(three_path).eval()
    features = run(upstream, noise(32000, 20000))
    frames = {320: 99, 640: 50, 1280: 25}
    names = [tap.name for tap in upstream.taps]
    assert " ".join(names) == (
        "enc0.pre enc0.layer0 enc1.pre enc1.layer0 enc1.layer1 mid.pre mid.layer0 dec0.pre dec0.layer0 dec0.layer1 "
        "dec1.pre dec1.layer0 res_out0 res_out1 res_out2"
    )
    for name in names:
        stride = upstream.get_downsample_rates(name)
        assert abs(features[name].shape[1] - frames[stride]) <= 1
        assert features[name].dtype == torch.float32
    assert len(features["hidden_states"]) == 12
    assert {x.shape for x in features["hidden_states"]} == {(2, 99, 64)}
    assert upstream.get_downsample_rates("hidden_states") == 320
    for key, count, stride in (("20ms", 4, 320), ("40ms", 6, 640), ("80ms", 2, 1280)):
        states = features[f"hidden_states_{key}"]
        assert (len(states), upstream.get_downsample_rates(f"hidden_states_{key}")) == (count, stride)
        assert {x.shape[1] for x in states} == {frames[stride]}
    assert [x.shape[1] for x in features["outputs"]] == [25, 50, 99]
    assert upstream.get_downsample_rates("outputs") == [1280, 640, 320]
    assert torch.equal(features["last_hidden_state"], features["res_out2"])
    assert set(features) == {*upstream._rates, "states"}
    with pytest.raises(UserError, match="did you mean 'hidden_states_40ms'"):
        upstream.get_downsample_rates("hidden_state_40ms")


def test_repeated_states_show_each_low_rate_frame_for_its_duration(three_path):
    features = run(mr_hubert_local(three_path).eval(), noise(20000))
    low = features["mid.layer0"][0]
    repeated = features["hidden_states"][6][0]
    for frame in range(len(repeated)):
        assert torch.equal(repeated[frame], low[frame // 4])


def test_rates_that_are_no_multiples_of_each_other(tmp_path):
    path = small.write_random_checkpoint(tmp_path / "c.pt", small.small_config(layers=(1, 1, 1), ratios=((2, 3),)))
    upstream = mr_hubert_local(path).eval()
    features = run(upstream, noise(32000))
    assert upstream.get_downsample_rates("hidden_states_30ms") == 480
    low, repeated = features["mid.layer0"][0], features["hidden_states"][3][0]
    # Frame t of 20 ms begins at 20 t ms, within frame 20 t // 30 of 30 ms.
    for frame in range(len(repeated)):
        assert torch.equal(repeated[frame], low[20 * frame // 30])


def test_states_hold_exact_lengths_and_the_waveforms(two):
    waveforms = noise(16000, 400, 9000)
    states = run(two, waveforms)["states"]
    assert [tap.name for tap in states.taps] == [tap.name for tap in two.taps]
    assert states.lengths[states.position("enc0.layer1")].tolist() == [49, 1, 27]
    assert states.lengths[states.position("mid.layer1")].tolist() == [25, 1, 14]
    assert states.lengths[states.position("dec0.layer1")].tolist() == [50, 2, 28]
    assert states.lengths[states.position("res_out1")].tolist() == [49, 1, 27]
    assert all(torch.equal(a, b) for a, b in zip(states.waveforms, waveforms, strict=True))


def test_any_batch_gives_the_same(two):
    waveforms = noise(24000, 400, 16000, 1111, 16000, 8000)
    together = run(two, waveforms)["states"]
    for i, waveform in enumerate(waveforms):
        alone = run(two, [waveform])["states"]
        for tap in two.taps:
            torch.testing.assert_close(together.utterance(tap.name, i), alone.utterance(tap.name, 0), rtol=0, atol=2e-5)


def test_one_group_gives_the_same_as_many(two, monkeypatch):
    waveforms = noise(24000, 400, 16000, 1111)
    expected = run(two, waveforms)["states"]
    monkeypatch.setitem(importlib.import_module(UpstreamExpert.__module__).GROUP_OVERHEAD, "cpu", 10**9)
    merged = run(two, waveforms)["states"]
    for k in range(len(two.taps)):
        assert merged[k].shape == expected[k].shape
        assert torch.equal(merged.lengths[k], expected.lengths[k])
        for i in range(4):
            torch.testing.assert_close(merged.utterance(k, i), expected.utterance(k, i), rtol=0, atol=2e-5)


def test_padded_batches_differ_on_purpose(two):
    waveforms = noise(24000, 8000)
    padded = run(mr_hubert_local(EXCERPT, exact_batches=False).eval(), waveforms)["states"]
    exact = run(two, waveforms)["states"]
    assert (padded["mid.layer1"][1, :12] - exact["mid.layer1"][1, :12]).abs().max() > 0.01
    assert int(padded.lengths[0][1]) != int(exact.lengths[0][1])


def test_native_leaves_every_state_at_its_rate(three_path):
    upstream = mr_hubert_local(three_path, native=True).eval()
    features = run(upstream, noise(32000))
    strides = [tap.stride for tap in upstream.taps if tap.role == "state"]
    assert upstream.get_downsample_rates("hidden_states") == strides
    for x, tap in zip(features["hidden_states"], upstream.taps, strict=False):
        assert torch.equal(x, features[tap.name])


def test_normalised_models_do_not_hear_gain_or_offset(tmp_path):
    path = small.write_random_checkpoint(tmp_path / "c.pt", small.small_config(layer_norm_first=True))
    upstream = mr_hubert_local(path).eval()
    (waveform,) = noise(8000)
    first, second = (run(upstream, [w])["last_hidden_state"] for w in (waveform, 0.01 * waveform + 0.2))
    # But for the epsilon in the normalisation of a quiet waveform.
    torch.testing.assert_close(first, second, rtol=0, atol=0.15)
    assert (first - second).abs().mean() < 0.01
    assert "enc0.out" in [tap.name for tap in upstream.taps]


@pytest.mark.parametrize("tap", ["enc0.pre", "enc0.layer1", "mid.layer0", "res_out0", "dec0.pre", "res_out1"])
def test_stop_at(two, tap):
    upstream = mr_hubert_local(EXCERPT, stop_at=tap).eval()
    waveforms = noise(9000, 5000)
    features, whole = run(upstream, waveforms), run(two, waveforms)
    assert torch.equal(features["last_hidden_state"], whole[tap])
    assert upstream.get_downsample_rates("last_hidden_state") == two.get_downsample_rates(tap)
    for name, x in features.items():
        if isinstance(x, torch.Tensor) and name != "last_hidden_state":
            assert torch.equal(x, whole[name])
    assert upstream.describe()["macs_per_s"] <= two.describe()["macs_per_s"]
    assert [t.name for t in features["states"].taps] == [t.name for t in upstream.taps]


def test_stop_at_an_unknown_tap():
    with pytest.raises(UserError, match=r"stop_at.*did you mean 'enc0.layer1'"):
        mr_hubert_local(EXCERPT, stop_at="enc0.layer11")


@pytest.mark.parametrize("mode", ["mean", "decimate"])
def test_pool_to(two, mode):
    upstream = mr_hubert_local(EXCERPT, pool_to=f"{mode}:40").eval()
    waveforms = noise(16000, 9000)
    features, whole = run(upstream, waveforms), run(two, waveforms)
    assert {upstream.get_downsample_rates(tap.name) for tap in upstream.taps} == {640}
    assert upstream.get_downsample_rates("hidden_states") == 640
    assert "hidden_states_20ms" not in features
    assert torch.equal(features["mid.layer1"], whole["mid.layer1"])
    expected = pooling.pool(whole["states"], pooling.parse(f"{mode}:40"))
    for k, tap in enumerate(upstream.taps):
        assert torch.equal(features[tap.name], features["states"][k])
        for i in range(len(waveforms)):
            assert torch.equal(features["states"].utterance(k, i), expected.utterance(k, i))
        assert features["states"].lengths[k].tolist() == expected.lengths[k].tolist()
    assert {x.shape[1] for x in features["hidden_states"]} == {25}


def test_bfloat16_is_close_at_every_tap(two):
    arrays = np.load(EXCERPT.parent / "states.npz")
    waveforms = [torch.from_numpy(arrays[name]) for name in ("wav16321", "batchwav0")]
    rough = mr_hubert_local(EXCERPT, dtype="bfloat16").eval()
    assert {p.dtype for p in rough.parameters()} == {torch.bfloat16}
    expected, found = run(two, waveforms)["states"], run(rough, waveforms)["states"]
    for tap in two.taps:
        for i in range(2):
            a, b = expected.utterance(tap.name, i), found.utterance(tap.name, i)
            assert b.dtype == torch.float32
            assert 1e-4 < (a - b).norm() / a.norm() < 0.04, tap.name


def test_bfloat16_of_one_utterance_equals_that_in_a_batch_as_closely(two):
    rough = mr_hubert_local(EXCERPT, dtype="bfloat16").eval()
    waveforms = noise(16000, 15000)
    together, alone = run(rough, waveforms)["states"], run(rough, waveforms[1:])["states"]
    a, b = together.utterance("res_out1", 1), alone.utterance("res_out1", 0)
    assert (a - b).norm() / b.norm() < 0.02


def layer_weights(upstream):
    return [layer.fc1.weight.detach().clone() for layer in upstream.network.layers_in_order()]


def test_reset_top_resets_the_last_layers_to_run(three_path):
    original = layer_weights(mr_hubert_local(three_path))
    state = torch.get_rng_state()
    reset, again, other = (mr_hubert_local(three_path, reset_top=3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    for upstream in (reset, again, other):
        same = [torch.equal(a, b) for a, b in zip(layer_weights(upstream), original, strict=True)]
        assert same == [True] * 4 + [False] * 3
    # Execution ends with decoder 0 (two layers) and decoder 1 (one).
    assert torch.equal(layer_weights(reset)[-1], reset.network.decoders[1].layers[0].fc1.weight)
    assert all(torch.equal(a, b) for a, b in zip(layer_weights(reset), layer_weights(again), strict=True))
    assert not torch.equal(layer_weights(reset)[-1], layer_weights(other)[-1])
    with pytest.raises(UserError, match="reset_top: 8 layers of 7"):
        mr_hubert_local(three_path, reset_top=8)


def test_random_weights_replace_every_weight():
    trained, random = mr_hubert_local(EXCERPT), mr_hubert_local(EXCERPT, random_weights=True, seed=3)
    for (name, a), b in zip(trained.named_parameters(), random.parameters(), strict=True):
        assert not torch.equal(a, b), name
    assert trained.describe()["weights"] == "trained"
    assert (random.describe()["weights"], random.describe()["train_step"]) == ("random", 0)


def test_description(two, tmp_path):
    described = two.describe()
    assert described["checkpoint_sha256"] == load.load(EXCERPT).sha256
    assert (described["weights"], described["train_step"], described["options"]) == ("trained", 2, {})
    assert described["params"] == sum(p.numel() for p in two.parameters())
    assert described["macs_per_s"] > 1e6
    untrained = mr_hubert_local(small.write_random_checkpoint(tmp_path / "c.pt"), stop_at="mid.pre")
    assert (untrained.describe()["weights"], untrained.describe()["train_step"]) == ("random", 0)
    assert untrained.describe()["options"] == {"stop_at": "mid.pre"}


def test_front_end_is_trained_when_asked():
    for multiplier, trained in ((None, True), (1.0, True), (0.0, False)):
        upstream = mr_hubert_local(EXCERPT, feature_grad_mult=multiplier).eval()
        sum(x.mean() for x in upstream(noise(6000, 4000))["hidden_states"]).backward()
        gradients = [p.grad for p in upstream.network.feature_extractor.parameters()]
        assert all((g is not None and bool(g.any())) == trained for g in gradients)
        assert all(p.grad is not None for p in upstream.network.encoders.parameters())


def test_deepcopy_has_weights_of_its_own(two):
    twin = copy.deepcopy(two)
    expected = run(two, noise(6000))["last_hidden_state"]
    assert torch.equal(run(twin, noise(6000))["last_hidden_state"], expected)
    with torch.no_grad():
        twin.network.layer_norm.weight.zero_()
    assert torch.equal(run(two, noise(6000))["last_hidden_state"], expected)
    assert twin.describe() | {"params": 0} == two.describe() | {"params": 0}


def test_distributed_data_parallel(tmp_path):
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        upstream = mr_hubert_local(EXCERPT).train()
        wrapped = torch.nn.parallel.DistributedDataParallel(upstream, find_unused_parameters=True)
        torch.manual_seed(0)
        for _ in range(3):  # with layers dropped in some of them
            features = wrapped(noise(9000, 6000, 700))
            torch.stack(features["hidden_states"]).square().mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in upstream.network.encoders.parameters())
        wrapped(noise(9000))["enc0.layer0"].sum().backward()  # most of the network is unused
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize(
    ("waveforms", "reason"),
    [
        ([], "without waveforms"),
        ([torch.randn(399)], "utterance 0 of the batch has 399 samples; one frame takes 400"),
        ([torch.randn(8000), torch.randn(0)], "utterance 1 of the batch has 0 samples"),
        ([torch.randn(2, 8000)], "2 x 8000"),
        ([torch.ones(8000, dtype=torch.int16)], "int16"),
        ([torch.randn(8000), torch.cat([torch.randn(8000), torch.tensor([float("nan")])])], "utterance 1 .*NaN"),
        ([torch.full((8000,), float("inf"))], "utterance 0 .*infinite"),
        ([torch.randn(8000), torch.tensor([1.0, -1.0] * 500) * float("inf")], "utterance 1 .*infinite"),
    ],
)
def test_waveforms_that_cannot_be_used(two, waveforms, reason):
    with pytest.raises(UserError, match=reason) as error:
        two(waveforms)
    assert "\n" not in str(error.value)


def test_loud_but_finite_samples_are_used(two):
    run(two, [torch.full((8000,), 3e37)])


def test_other_precisions_of_the_waveform(two):
    (waveform,) = noise(6000)
    expected = run(two, [waveform])["last_hidden_state"]
    assert torch.equal(run(two, [waveform.double()])["last_hidden_state"], expected)


def test_entries_without_a_checkpoint():
    for entry in (mr_hubert_local, hubert_fairseq_local):
        with pytest.raises(UserError, match=f"{entry.__name__} needs a checkpoint"):
            entry()


def test_plain_hubert(shared):
    upstream = hubert_fairseq_local(shared / "oracle" / "mr_hubert" / "hubert" / "checkpoint.pt").eval()
    features = run(upstream, noise(16000))
    assert [tap.name for tap in upstream.taps] == ["mid.pre", "mid.layer0", "mid.layer1", "mid.layer2", "res_out0"]
    assert torch.equal(features["res_out0"], features["mid.layer2"])
    assert upstream.get_downsample_rates("hidden_states") == 320


def test_the_entries_load_neither_torch_nor_s3prl():
    program = (
        "import sys; import s3prl_plugin.upstream.mr_hubert.hubconf; import s3prl_plugin.states.pooling\n"
        "import s3prl_plugin.upstream.mr_hubert.network.costs, s3prl_plugin.upstream.mr_hubert.options\n"
        "assert not {'torch', 's3prl', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])
