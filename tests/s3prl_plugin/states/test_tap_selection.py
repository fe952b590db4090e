"""-s and -l in an analysis mean the taps that a task would see."""

import importlib

import foreign_models
import numpy as np
import pytest
import soundfile
import torch
import yaml

import s3prl_plugin
from s3prl_plugin import results, run_downstream
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import tap_selection
from s3prl_plugin.states.featurizer import StatesFeaturizer
from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert

s3prl_plugin.register()


@pytest.fixture(scope="module")
def own(small_checkpoint):
    """What one of our upstreams returns for a second of noise, and its States."""
    upstream = UpstreamExpert(small_checkpoint).eval()
    with torch.no_grad():
        features = upstream([torch.randn(16000, generator=torch.Generator().manual_seed(1))])
    return features, features["states"]


def chosen(found, key, layer=None):
    return tap_selection.by_flags(*found, key, layer)


def test_every_entry_is_the_taps_that_it_is_made_of(own):
    taps = [tap for tap in own[1].taps if tap.role == "state"]
    assert chosen(own, "hidden_states") == [tap.name for tap in taps]
    for ms in (20, 40):
        assert chosen(own, f"hidden_states_{ms}ms") == [tap.name for tap in taps if tap.resolution_ms == ms]
    assert chosen(own, "outputs") == ["res_out0", "res_out1"]
    assert chosen(own, "last_hidden_state") == ["res_out1"]
    assert chosen(own, "mid.layer0") == ["mid.layer0"]


def test_a_layer_is_counted_in_its_entry(own):
    names, coarse = chosen(own, "hidden_states"), chosen(own, "hidden_states_40ms")
    assert chosen(own, "hidden_states", 2) == [names[2]]
    assert chosen(own, "hidden_states", -1) == [names[-1]]
    assert chosen(own, "hidden_states_40ms", 1) == [coarse[1]]


def test_of_an_upstream_of_s3prl_they_are_its_layers(tmp_path):
    hub = importlib.import_module("s3prl.hub")
    upstream = hub.hubert_custom(ckpt=foreign_models.hubert(tmp_path / "h.pt")).eval()
    featurizer, wave = StatesFeaturizer(upstream), [torch.randn(16000)]
    with torch.no_grad():
        features = upstream(wave)
    found = features, featurizer(wave, features)
    assert chosen(found, "hidden_states", 1) == ["layer1"]
    assert chosen(found, "last_hidden_state") == ["layer2"]


@pytest.mark.parametrize(
    ("key", "layer", "message"),
    [
        ("hidden_states_40m", None, "-s hidden_states_40m: .*did you mean 'hidden_states_40ms'"),
        ("states", None, "-s states: "),
        ("hidden_states", 99, r"-l 99: -s hidden_states has \d+ layers; count them from 0"),
        ("mid.layer0", 0, "-l 0: -s mid.layer0 is a single tap"),
    ],
)
def test_what_is_not_there_is_told(own, key, layer, message):
    with pytest.raises(UserError, match=message):
        chosen(own, key, layer)


def test_an_entry_of_something_else_is_refused(own):
    features = {**own[0], "codes": [torch.zeros(1, 49, dtype=torch.long)], "mixed": own[0]["mid.layer0"] + 1}
    for key in ("codes", "mixed"):
        with pytest.raises(UserError, match=f"-s {key}: it is not among the states that are analysed: enc0.pre, "):
            chosen((features, own[1]), key)


def test_an_analysis_from_the_command_line_has_rows_of_these_taps_alone(small_checkpoint, own, tmp_path):
    noise, lines = np.random.default_rng(0), ["utt\taudio\tspeaker"]
    for i in range(6):
        soundfile.write(tmp_path / f"u{i}.wav", 0.1 * noise.standard_normal(9000), 16000, subtype="PCM_16")
        lines.append(f"u{i}\tu{i}.wav\ts{i}")
    (tmp_path / "utterances.tsv").write_text("\n".join(lines) + "\n")
    config = {"runner": {}, "downstream_expert": {"corpus": f"manifest:{tmp_path}"}}
    (tmp_path / "rank.yaml").write_text(yaml.safe_dump(config))
    words = ["-m", "evaluate", "-d", "rank", "-c", tmp_path / "rank.yaml", "-u", "mr_hubert_local"]
    words = [str(word) for word in [*words, "-k", small_checkpoint, "--device", "cpu"]]
    run_downstream.main([*words, "-p", str(tmp_path / "all")])
    run_downstream.main([*words, "-p", str(tmp_path / "some"), "-s", "hidden_states_40ms", "-l", "1"])
    (name,) = chosen(own, "hidden_states_40ms", 1)
    some = results.read(tmp_path / "some")
    assert {row.tap for row in some} == {name}
    every = {(row.tap, row.score): row.value for row in results.read(tmp_path / "all")}
    assert {(row.tap, row.score): row.value for row in some} == {
        key: pytest.approx(value) for key, value in every.items() if key[0] == name
    }
    with pytest.raises(UserError, match="-l 99: -s hidden_states has"):
        run_downstream.main([*words, "-p", str(tmp_path / "none"), "-l", "99"])
    with pytest.raises(UserError, match="--upstream_feature_normalize: an analysis measures states as they are"):
        run_downstream.main([*words, "-p", str(tmp_path / "none"), "--upstream_feature_normalize"])
