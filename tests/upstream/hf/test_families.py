"""Every family on a small random folder: each tap against a forward by hand, alone, among others and in training."""

import hf_models
import pytest
import torch
from hf_by_hand import states

import s3prl_plugin
from s3prl_plugin.strides import ms_text
from s3prl_plugin.upstream.hf import families, generic
from s3prl_plugin.upstream.hf.hearing import Hearing

s3prl_plugin.register()
pytest.importorskip("transformers")

FLAT = [
    "hubert",
    "hubert-stable",
    "wav2vec2",
    "wavlm",
    "wavlm-stable",
    "data2vec-audio",
    "unispeech-sat",
    "wav2vec2-conformer",
]
# samples at 16 kHz: the states, and the taps beside them
STRIDES = {
    **dict.fromkeys(FLAT, (["320"], {"front": "320"})),
    "wav2vec2-adapter": (["320"], {"front": "320", "adapter1": "640", "adapter2": "1280", "adapter3": "2560"}),
    "wav2vec2-bert": (["320"], {"adapter1": "640"}),
    "sew": (["640"], {"front": "320", "up": "320"}),
    "sew-d": (["640"], {"front": "320", "up": "320"}),
    "seamless_m4t": (["320"], {"adapter1": "2560"}),
    "whisper": (["320"], {"front": "320"}),
    "parakeet": (["1280"], {}),
    "moonshine": (["384"], {"front": "384"}),
    "mimi": (["640"], {"down": "1280"}),
    "encodec": (["640/3"], {"latent": "640/3"}),
    "dac": (["81920/441"], {"front": "81920/441"}),
    "voxtral_encoder": (["320"], {"front": "320"}),
    **dict.fromkeys(["qwen2_audio_encoder", "audioflamingo3_encoder"], (["320"], {"front": "320", "down": "640"})),
    "speech_to_text": (["640"], {}),
    "omniasr": (["320"], {"front": "320"}),
    "lasr_encoder": (["640"], {}),
    **dict.fromkeys(["nemotron_asr_streaming_encoder", "cohere_asr"], (["1280"], {})),
    **dict.fromkeys(["glmasr_encoder", "voxtral_realtime_encoder"], (["320"], {})),
    "granite_speech5_encoder": (["1280", "320", "640"], {}),
    "fun_asr_nano_encoder": (["960"], {}),
    "pe_audio_encoder": (["640"], {}),
    "wavtokenizer": (["400"], {"latent": "400"}),
    "pocket_tts_audio_tokenizer": (["80"], {"down": "1280"}),
}
SHORTEST = {"sew": 801, "sew-d": 801, "moonshine": 1281, "wav2vec2-bert": 561, "seamless_m4t": 561, "parakeet": 641}
SHORTEST |= {"speech_to_text": 1601, "lasr_encoder": 2401, "granite_speech5_encoder": 1281, "cohere_asr": 641}
LAYERS = {"dac": 1, "encodec": 2, "wavtokenizer": 2, "granite_speech5_encoder": 4}
LENGTHS = (4001, 16001, 17777, 48001)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = {}

    def of(name):
        if name not in made:
            made[name] = hf_models.save(name, tmp_path_factory.mktemp(name))
        return made[name]

    return of


def load(path, **options):
    from s3prl import hub

    return hub.hf(ckpt=path, **options)


def waves(name):
    """Utterances of odd lengths, the shortest ones that the model hears among them."""
    draw = torch.Generator().manual_seed(0)
    return [0.1 * torch.randn(n, generator=draw) for n in (SHORTEST.get(name, 401), *LENGTHS)]


def assert_as_by_hand(found, wanted):
    """Each tap to within 1e-5 of its scale, with exactly the frames that it has."""
    for i, each in enumerate(wanted):
        assert {tap.name for tap in found.taps} == set(each)
        for tap in found.taps:
            x, y = found.utterance(tap.name, i), each[tap.name]
            assert x.shape == y.shape, (tap.name, i)
            torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-5 * max(1.0, float(y.abs().max())))


@pytest.mark.parametrize("name", hf_models.MODELS)
def test_every_tap_is_a_forward_by_hand_alone_among_others_and_in_training(folder, name):
    model, given = hf_models.build(name), waves(name)
    wanted = [states(name, model, wave) for wave in given]
    upstream = load(folder(name))
    with torch.no_grad():
        for wave, each in zip(given, wanted, strict=True):
            assert_as_by_hand(upstream([wave])["states"], [each])
        assert_as_by_hand(upstream(given)["states"], wanted)
        assert_as_by_hand(upstream.train()(given)["states"], wanted)
    observed = {tap.name: str(tap.stride) for tap in upstream.taps if tap.role == "state"}
    beside = {tap.name: str(tap.stride) for tap in upstream.taps if tap.role == "output"}
    assert (sorted(set(observed.values())), beside) == STRIDES[name]
    layers = LAYERS.get(name, 3)
    assert len({tap.dim for tap in upstream.taps if tap.role == "state"}) == 1  # as a weighted sum needs it
    assert list(observed) == [f"layer{i}" for i in range(layers - 1)] + [list(observed)[-1]]
    assert list(observed)[-1] in (f"layer{layers - 1}", "out")
    assert [tap.index for tap in upstream.taps if tap.role == "state"] == list(range(layers))


RULED = ("hubert", "hubert-stable", "wavlm-stable", "data2vec-audio", "wav2vec2-conformer", "sew", "sew-d")


@pytest.mark.parametrize("name", [*RULED, "seamless_m4t", "parakeet", "moonshine", "mimi"])
def test_the_rule_for_unknown_networks_sees_what_the_entry_says(folder, name):
    """Without the entry: the same list of layers, and the norm behind it where there is one."""
    upstream = load(folder(name))
    found = generic.find(Hearing(upstream.network, hf_models.extractor(name)))
    first = found[0].block  # of an encoder with an adapter, whose layers are a list of their own for the rule
    states = [(point.layer or point.name, point.path) for point in found if point.block == first]
    wanted = [(point.layer or point.name, point.path) for point in upstream._passed if not point.aside]
    is_behind = wanted.index(next(pair for pair in wanted if pair[0] == "layer2")) == len(wanted) - 2
    assert states == [pair for pair in wanted if pair[0] != "out" or (is_behind and first is None)]


def test_the_rates_that_the_documentation_lists_are_those_of_the_networks(folder):
    """families.yaml says them in milliseconds; every family's small model has the real one's kernels."""
    small = {"hubert": "wav2vec2-adapter", "parakeet_encoder": "parakeet", "parakeet_ctc": "parakeet"}
    small |= {name: f"{name}_encoder" for name in ("voxtral", "qwen2_audio", "audioflamingo3")}
    for family in families.families():
        name = small.get(family.types[0], family.types[0])
        upstream = load(folder(name))
        rates = {}
        for tap in upstream.taps:
            rates.setdefault("layers" if tap.role == "state" else tap.name.rstrip("0123456789"), []).append(tap.stride)
        for key in rates.keys() - {"layers"}:  # several of a kind are counted from 1
            names = [tap.name for tap in upstream.taps if tap.name.rstrip("0123456789") == key and tap.role != "state"]
            assert names in ([key], [f"{key}{i}" for i in range(1, len(names) + 1)]), family.name
        known = {key: value for key, value in family.ms.items() if key in rates}
        assert set(known) == set(rates), family.name
        for key, value in known.items():
            said = [str(value)] if not isinstance(value, list) else [f"{each:g}" for each in value]
            assert list(dict.fromkeys(map(ms_text, rates[key]))) == said, (family.name, key)
