"""What s3prl asks of an upstream, through its own classes; and our states against its own implementation's."""

from pathlib import Path

import pytest
import torch

import s3prl_plugin

s3prl_plugin.register()
nn = pytest.importorskip("s3prl.nn")

from s3prl import hub  # noqa: E402
from s3prl.upstream.interfaces import Featurizer as RunnerFeaturizer  # noqa: E402

from s3prl_plugin.upstream.mr_hubert import small  # noqa: E402

EXCERPT = Path(__file__).parents[2] / "data" / "mr_hubert" / "checkpoint.pt"


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    three = small.small_config(dim=32, layers=(1, 2, 1, 2, 1), ratios=((1, 2), (1, 2)), adapter_kernel=7)
    large = small.small_config(dim=32, layers=(2, 2, 2), layer_norm_first=True)
    return {
        "two": EXCERPT,
        "three": small.write_random_checkpoint(folder / "three.pt", three),
        "large": small.write_random_checkpoint(folder / "large.pt", large),
    }


@pytest.fixture(scope="module", params=["two", "three", "large"])
def model(request, paths):
    return nn.S3PRLUpstream("mr_hubert_local", path_or_url=str(paths[request.param]))


def padded(*lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.LongTensor(lengths)
    waveforms = torch.randn(len(lengths), int(lengths.max()), generator=generator)
    return waveforms, lengths


def test_names():
    assert {"mr_hubert_local", "hubert_fairseq_local"} <= set(nn.S3PRLUpstream.available_names())
    assert "mr_hubert_local" not in nn.S3PRLUpstream.available_names(only_registered_ckpt=True)


def test_deterministic_in_eval_mode(model):
    model.eval()
    with torch.no_grad():
        first, first_lengths = model(*padded(16000, 9000))
        second, second_lengths = model(*padded(16000, 9000))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
    for a, b in zip(first_lengths, second_lengths, strict=True):
        assert torch.equal(a, b)


def test_same_number_of_states_in_training_and_for_any_input(model):
    model.train()
    torch.manual_seed(0)
    for lengths in ((800,), (16000,), (32000, 1000), (801, 802, 803)):
        for _ in range(3):  # some layers are dropped in some of them
            states, _ = model(*padded(*lengths))
            assert len(states) == model.num_layers


@pytest.mark.parametrize("count", [1, 2, 3])
def test_forward_and_backward_for_a_twentieth_of_a_second(model, count):
    model.train()
    model.zero_grad()
    states, lengths = model(*padded(*[800] * count))
    assert {n.tolist()[0] for n in lengths} == {3}
    torch.stack(states).mean().backward()
    assert any(p.grad is not None and p.grad.any() for p in model.parameters())


def test_shorter_than_that_is_padded_by_s3prl(model):
    model.eval()
    with torch.no_grad():
        states, lengths = model(*padded(300, 100))
    assert {x.shape[1] for x in states} == {1}
    assert lengths[0].tolist() == [1, 1]


def test_randomised_by_s3prl(paths):
    torch.manual_seed(0)
    model = nn.S3PRLUpstream("mr_hubert_local", path_or_url=str(paths["two"]), randomize=True).eval()
    original = hub.mr_hubert_local(ckpt=paths["two"])
    changed = [not torch.equal(a, b) for a, b in zip(model.parameters(), original.parameters(), strict=True)]
    assert all(changed)
    with torch.no_grad():
        assert all(x.isfinite().all() for x in model(*padded(16000, 9000))[0])


@pytest.mark.parametrize("selection", [None, [0, 3], [1, 2, 5, 6]])
def test_featurizer_with_layer_selections(model, selection):
    model.eval()
    featurizer = nn.Featurizer(model, layer_selections=selection)
    with torch.no_grad():
        states, lengths = model(*padded(16000, 9000))
        weighted, weighted_lengths = featurizer(states, lengths)
    chosen = states if selection is None else [states[i] for i in selection]
    torch.testing.assert_close(weighted, torch.stack(chosen).mean(0))
    assert weighted_lengths.tolist() == [50, 29]
    assert (featurizer.output_size, featurizer.downsample_rate) == (chosen[0].shape[2], 320)


def test_native_strides_and_lengths(paths):
    model = nn.S3PRLUpstream("mr_hubert_local", path_or_url=str(paths["three"]), extra_conf={"native": True}).eval()
    strides = [320] * 2 + [640] * 3 + [1280] * 2 + [640] * 3 + [320] * 2
    assert list(model.downsample_rates) == strides
    for samples in (800, 801, 960, 1039, 1040, 1280, 1281, 1999, 16000, 16321, 33333):
        waveforms, lengths = padded(samples, max(400, samples // 2))
        with torch.no_grad():
            states, frames = model(waveforms, lengths)
        for x, n, stride in zip(states, frames, strides, strict=True):
            assert n.tolist() == [-(-int(length) // stride) for length in lengths]
            assert x.shape[1] == max(n)


def test_options_through_s3prl(paths):
    model = nn.S3PRLUpstream("mr_hubert_local", path_or_url=str(paths["two"]), extra_conf={"stop_at": "enc0.layer0"})
    assert model.num_layers == 2


@pytest.mark.parametrize("key", ["hidden_states", "hidden_states_40ms", "mid.layer1", "last_hidden_state", "res_out0"])
def test_runner_s_featurizer_takes_every_key(paths, key):
    upstream = hub.mr_hubert_local(ckpt=paths["two"]).eval()
    featurizer = RunnerFeaturizer(upstream, feature_selection=key, upstream_device="cpu")
    waveforms = [torch.randn(16000), torch.randn(9000)]
    with torch.no_grad():
        features = featurizer(waveforms, upstream(waveforms))
    stride = upstream.get_downsample_rates(key)
    assert featurizer.downsample_rate == stride
    for waveform, feature in zip(waveforms, features, strict=True):
        assert abs(len(feature) - len(waveform) / stride) < 2


def converted(path, target):
    """A checkpoint as s3prl converts it; heads, which s3prl's class insists on, are made up."""
    content = torch.load(path, weights_only=True)
    model, task = content["cfg"]["model"], content["cfg"]["task"]
    heads = {"mask_emb": torch.zeros(64)}
    for i in range(2):
        heads |= {f"final_projs.{i}.weight": torch.zeros(16, 64), f"final_projs.{i}.bias": torch.zeros(16)}
        heads[f"label_embs_concat.{i}"] = torch.zeros(5, 16)
    conversion = {
        "task_cfg": task,
        "model_cfg": model,
        "model_weight": content["model"] | heads,
        "dictionaries_symbols": [list("abcde")] * 2,
    }
    torch.save(conversion, target)
    return target


def test_states_equal_s3prl_s_own_up_to_two_resolutions(tmp_path):
    path = converted(EXCERPT, tmp_path / "converted.pt")
    theirs = hub.multires_hubert_local(ckpt=str(path)).eval()
    ours = hub.mr_hubert_local(ckpt=str(path)).eval()
    generator = torch.Generator().manual_seed(0)
    for lengths in ((16000,), (16321, 16321), (48000,), (401,)):
        waveforms = [torch.randn(n, generator=generator) * 0.1 for n in lengths]
        with torch.no_grad():
            expected, found = theirs(waveforms)["hidden_states"], ours(waveforms)["hidden_states"]
        assert len(found) == len(expected) == 9
        for a, b in zip(found, expected, strict=True):
            assert a.shape == b.shape
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
