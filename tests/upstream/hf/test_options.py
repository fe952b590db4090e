"""The options of `hf`, on small random folders."""

import hf_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import macs

pytest.importorskip("transformers")
s3prl_plugin.register()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = {}

    def of(name, **options):
        key = (name, *options.items())
        if key not in made:
            made[key] = hf_models.save(name, tmp_path_factory.mktemp(name), **options)
        return made[key]

    return of


def load(path, **options):
    from s3prl import hub

    return hub.hf(ckpt=path, **options)


def noise(samples, seed=0):
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def states(upstream, *waves):
    with torch.no_grad():
        return upstream(list(waves))["states"]


@pytest.mark.parametrize("name", ["hubert-stable", "sew", "whisper", "mimi"])
def test_what_is_above_stop_at_is_neither_computed_nor_there(folder, name):
    whole, cut = load(folder(name)), load(folder(name), stop_at="layer1")
    kept = [tap.name for tap in cut.taps]
    assert "layer1" in kept
    assert not {"layer2", "out", "up", "down"} & set(kept)
    for tap in kept:
        assert torch.equal(states(whole, noise(9001))[tap], states(cut, noise(9001))[tap])
    assert cut.describe()["params"] < whole.describe()["params"]
    assert macs.for_one_second(cut) < macs.for_one_second(whole)
    assert cut([noise(9001)])["last_hidden_state"].equal(cut([noise(9001)])["layer1"])


def test_pool_to_is_the_mean_of_whole_frames(folder):
    pooled = states(load(folder("encodec"), pool_to="mean:40"), noise(16001))
    own = states(load(folder("encodec")), noise(16001))
    assert {tap.stride for tap in pooled.taps} == {640}
    torch.testing.assert_close(pooled["layer1"][0, 3], own["layer1"][0, 9:12].mean(0))
    with pytest.raises(UserError, match=r"whole number of them .* such as mean:40/3 or mean:80/3"):
        load(folder("encodec"), pool_to="mean:20")


def test_random_weights_are_those_of_the_configuration_and_the_seed(folder):
    import transformers

    path = folder("hubert-stable")
    first, again, other = (load(path, random_weights=True, seed=seed) for seed in (3, 3, 4))
    weights = [upstream.network.state_dict() for upstream in (first, again, other, load(path))]
    name = "encoder.layers.0.attention.q_proj.weight"
    assert torch.equal(weights[0][name], weights[1][name])
    assert not torch.equal(weights[0][name], weights[2][name])
    assert not torch.equal(weights[0][name], weights[3][name])
    with torch.random.fork_rng():
        torch.manual_seed(3)
        fresh = transformers.AutoModel.from_config(transformers.AutoConfig.from_pretrained(path))
    assert all(torch.equal(weights[0][key], value) for key, value in fresh.state_dict().items())
    assert first.describe()["weights"] == "random"


def test_the_random_state_stays_as_it_is(folder):
    before = torch.get_rng_state()
    load(folder("hubert-stable"), random_weights=True, reset_top=1, freeze_to="layer0")([noise(8001), noise(9001)])
    assert torch.equal(before, torch.get_rng_state())


def test_reset_top_begins_the_last_layers_anew(folder):
    path = folder("wavlm-stable")
    reset, stored, fresh = load(path, reset_top=1, seed=5), load(path), load(path, random_weights=True, seed=5)
    for key, value in reset.network.state_dict().items():
        source = fresh if key.startswith("encoder.layers.1.") else stored
        assert torch.equal(value, source.network.state_dict()[key]), key
    with pytest.raises(UserError, match="reset_top: 3 layers of 2"):
        load(path, reset_top=3)


@pytest.mark.parametrize("freeze_to", ["layer0", "layer1"])
def test_what_is_frozen_has_no_gradient_and_what_is_above_has(folder, freeze_to):
    upstream = load(folder("hubert-stable"), freeze_to=freeze_to).train()
    sum(upstream([noise(9001)])["hidden_states"]).square().sum().backward()
    grads = {name: p.grad is not None for name, p in upstream.network.named_parameters()}
    assert not any(grads[name] for name in grads if name.startswith("feature_"))
    assert grads["encoder.layers.0.final_layer_norm.weight"] == (freeze_to == "layer0")
    assert grads["encoder.layers.1.final_layer_norm.weight"]
    assert upstream.network.feature_extractor.training is False
    assert upstream.network.encoder.layers[1].training is True


def test_all_of_it_can_be_trained(folder):
    upstream = load(folder("wav2vec2-conformer")).train()
    moments = {name: b.clone() for name, b in upstream.network.named_buffers() if "running" in name}
    upstream([noise(9001), noise(8001)])["last_hidden_state"].square().sum().backward()
    without = [name for name, p in upstream.network.named_parameters() if p.requires_grad and p.grad is None]
    unused = ("masked_spec_embed", "encoder.pos_conv_embed")  # by a conformer whose positions are relative
    assert not [name for name in without if not name.startswith(unused)]
    for name, buffer in upstream.network.named_buffers():
        if "running" in name:
            assert torch.equal(buffer, moments[name]), name


@pytest.mark.parametrize("stored", ["float16", "bfloat16"])
def test_halves_are_computed_in_float32_unless_asked_otherwise(tmp_path, stored, capfd):
    path = hf_models.save("wav2vec2-bert", tmp_path, dtype=stored)
    upstream = load(path)
    assert f"stored in {stored}, computed in float32" in capfd.readouterr().err
    assert {p.dtype for p in upstream.network.parameters()} == {torch.float32}
    half = load(path, dtype="bfloat16")
    x, y = states(upstream, noise(16001))["layer2"], states(half, noise(16001))["layer2"]
    assert y.dtype == torch.float32
    assert 0 < float((x - y).abs().max() / x.std()) < 0.5


def test_layers_can_be_named(folder):
    upstream = load(folder("hubert"), layers="feature_extractor.conv_layers")
    assert [tap.stride for tap in upstream.taps if tap.name != "layer0"] == [5, 10, 20, 40, 80, 160, 320]
    upstream = load(folder("parakeet"), layers=["subsampling.layers", "layers"])
    strides = {tap.name: tap.stride for tap in upstream.taps}
    assert [strides[f"stack1.layer{i}"] for i in range(3)] == [1280] * 3
    assert {320, 640, 1280} <= set(strides.values())


def test_several_rates_are_repeated_for_a_sum_and_native_leaves_them(folder):
    path = folder("parakeet")
    mixed = ["subsampling.layers[-1]", "layers"]
    summed, native = load(path, layers=mixed), load(path, layers=mixed, native=True)
    with torch.no_grad():
        assert len({x.shape[1] for x in summed([noise(16001)])["hidden_states"]}) == 1
    assert isinstance(native.get_downsample_rates("hidden_states"), list)


def test_whisper_hears_thirty_seconds_and_longer_audio_in_windows(folder):
    path = folder("whisper")
    with pytest.raises(UserError, match=r"an utterance of 30\.0 s: this model hears 30 s at once; .* longer: cut"):
        load(path)([noise(480001)])
    cut = load(path, longer="cut")
    wave = noise(480000 + 6401)
    found = states(cut, wave, wave[:16001])
    assert [n.tolist() for n in found.lengths] == [[1521, 51]] * len(found.taps)
    first, second = states(cut, wave[:480000]), states(cut, wave[480000:])
    for tap in found.taps:
        torch.testing.assert_close(found.utterance(tap.name, 0)[:1500], first.utterance(tap.name, 0), atol=1e-5, rtol=0)
        torch.testing.assert_close(
            found.utterance(tap.name, 0)[1500:], second.utterance(tap.name, 0), atol=1e-5, rtol=0
        )
    assert cut.describe()["options"] == {"longer": "cut"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stop_at": "layer9"}, "stop_at: no tap is called 'layer9'"),
        ({"freeze_to": "layer2", "stop_at": "layer1"}, "freeze_to: .* lies above stop_at|no tap is called"),
        ({"dtype": "int8"}, "dtype: 'int8' is not possible"),
        ({"layers": 3}, "layers: 3 is not possible; give text, a list"),
        ({"longer": "wrap"}, "longer: 'wrap' is not possible"),
        ({"layres": "x"}, "unknown option 'layres'.*layers"),
    ],
)
def test_bad_options_are_said_in_one_line(folder, options, said):
    with pytest.raises(UserError, match=said) as raised:
        load(folder("hubert"), **options)
    assert "\n" not in str(raised.value)
