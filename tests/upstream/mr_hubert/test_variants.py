"""The description of the published variants, against networks that are really built."""

import re
import subprocess
import sys

import pytest
import torch

import s3prl_plugin
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import variants
from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT

KNOWN = [name for name in variants.names() if variants.variant(name).config() is not None]
PUBLISHED = {
    *("mr_hubert_base", "mr_hubert_large", "mr_hubert_multilingual_base", "mr_hubert_multilingual_large_simple"),
    *("mr_hubert_multilingual_large_400k", "mr_hubert_multilingual_large_600k"),
    *("mr_hubert_xlarge_v1", "mr_hubert_xlarge_v2"),
    *(
        f"mr_hubert_b{series}_{letter}"
        for series, letters in enumerate(("abc", "abc", "a", "ab", "a", "ab", "abcd", "abcdefghij"), 1)
        for letter in letters
    ),
}


def meta_states(config):
    """What a network of this architecture returns for one second of sound, without weights or arithmetic."""
    with torch.device("meta"):
        return MRHuBERT(config).eval()(torch.zeros(1, 16000), [16000])


def test_every_published_checkpoint_is_there_once():
    assert set(variants.names()) == PUBLISHED
    addresses = [variants.variant(name).address for name in variants.names()]
    assert len(set(addresses)) == len(addresses)
    assert all(re.fullmatch(r"https://dl\.fbaipublicfiles\.com/mrhubert/[\w-]+/[\w-]+\.pt", a) for a in addresses)


def test_the_mirrors_are_those_of_s3prl_itself():
    s3prl_plugin.register()
    from s3prl.upstream.multires_hubert import hubconf

    with open(hubconf.__file__) as file:
        theirs = set(re.findall(r'"(https://\S+\.pt)"', file.read()))
    assert {v.mirror for v in map(variants.variant, variants.names()) if v.mirror} == theirs


@pytest.mark.parametrize("name", variants.names())
def test_a_variant_says_what_it_is_or_that_it_is_not_known(name):
    found = variants.variant(name)
    assert found.isolates
    assert found.data.endswith(" h") or found.data.endswith(" kh")
    assert found.licence
    assert found.unit_iteration in (None, 0, 3)
    architecture = [getattr(found, field) is None for field in variants._ARCHITECTURE]
    assert all(architecture) or not any(architecture)


@pytest.mark.parametrize("name", KNOWN)
def test_the_described_taps_are_those_of_a_real_network(name):
    config = variants.variant(name).config()
    states = meta_states(config)
    assert [tap.name for tap in config.taps()] == [state.name for state in states]
    for tap, state in zip(config.taps(), states, strict=True):
        assert state.x.shape[2] == tap.dim
        # 49 frames at 20 ms; an odd last frame is kept on the way down, and becomes two on the way up
        assert state.x.shape[1] in {320: (49, 50), 640: (25, 26), 1280: (13,)}[tap.stride]


@pytest.mark.parametrize(
    ("name", "millions"), [("mr_hubert_base", 97.39), ("mr_hubert_large", 321.99), ("mr_hubert_b6_a", None)]
)
def test_sizes(name, millions):
    """The published counts, which include what serves pre-training only (heads, mask embedding): under 2 % more."""
    with torch.device("meta"):
        count = sum(p.numel() for p in MRHuBERT(variants.variant(name).config()).parameters()) / 1e6
    if millions is None:
        assert count < 97
    else:
        assert 0.98 * millions < count <= millions


def test_the_published_order_of_layers_becomes_the_order_of_execution():
    """fairseq's list 3-2-2-2-3 gives its last entry to the decoder that runs first."""
    assert variants.variant("mr_hubert_b2_a").layers == (3, 2, 2, 3, 2)
    assert [b.layers for b in variants.variant("mr_hubert_b1_a").config().blocks] == [2, 4, 6]


def test_a_checkpoint_that_differs_is_told():
    base, b1_a = variants.variant("mr_hubert_base"), variants.variant("mr_hubert_b1_a")
    assert base.differences(base.config()) == []
    assert base.differences(b1_a.config()) == ["layers (4, 4, 4), not (2, 4, 6)"]
    assert variants.variant("mr_hubert_b8_c").differences(base.config()) == [], "what is not known cannot differ"


def test_an_unknown_name():
    with pytest.raises(UserError, match="did you mean"):
        variants.variant("mr_hubert_b5a")


def test_the_names_cost_no_torch_and_one_reading():
    code = (
        "import sys, yaml; from s3prl_plugin import registry; load = yaml.load; calls = []\n"
        "yaml.load = lambda *a, **k: calls.append(1) or load(*a, **k)\n"
        "assert not any('mr_hubert' in name for name in sys.modules)\n"
        "assert registry.upstreams() == registry.upstreams() and 'mr_hubert_b8_j' in registry.upstreams()\n"
        "assert len(calls) == 1, calls\n"
        "assert not {'torch', 's3prl', 's3prl_plugin.upstream.mr_hubert.network.model'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
