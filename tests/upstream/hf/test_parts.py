"""What entries are made of, against the upstream's own forward; and the names of weights that a task learns."""

import hf_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.superb import weights

pytest.importorskip("transformers")
s3prl_plugin.register()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return {name: hf_models.save(name, tmp_path_factory.mktemp(name)) for name in ("hubert-stable", "parakeet", "sew")}


def load(path, **options):
    from s3prl import hub

    return hub.hf(ckpt=path, **options)


MIXED = {"layers": "subsampling.layers[-2]+layers"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hubert-stable", {}),
        ("hubert-stable", {"pool_to": "mean:40"}),
        ("hubert-stable", {"stop_at": "layer1"}),
        ("sew", {}),
        ("parakeet", MIXED),
        ("parakeet", {**MIXED, "native": True}),
    ],
)
def test_every_entry_and_every_layer_is_the_upstreams_own(folder, name, options):
    expert = load(folder[name], **options)
    draw = torch.Generator().manual_seed(3)
    waveforms = [0.1 * torch.randn(n, generator=draw) for n in (9000, 12000)]
    with torch.no_grad():
        whole = expert(waveforms)
        for key, entry in whole.items():
            if key == "states" or (isinstance(entry, list) and not entry):
                continue
            several = isinstance(entry, list) and len(entry) > 1
            for layer in (None, 0, -1) if several else (None,):
                parts = expert.parts(key, layer)
                found = parts.assemble(parts.compute(waveforms), [len(w) for w in waveforms], torch.device("cpu"))
                wanted = entry if isinstance(entry, torch.Tensor) else entry[layer] if layer is not None else entry
                wanted = wanted[0] if isinstance(wanted, list) and len(wanted) == 1 else wanted
                torch.testing.assert_close(found, wanted, atol=2e-5, rtol=1e-5)
    assert expert.parts("nothing") is None
    assert expert.parts("hidden_states", 99) is None


def test_learned_weights_bear_the_names_of_taps(folder):
    expert = load(folder["hubert-stable"])
    assert [tap.name for tap in weights.taps(expert, "hidden_states", 3)] == ["layer0", "layer1", "out"]
