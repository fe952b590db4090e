"""A second start finds out nothing again, and gives the same; what decides a finding is in its key."""

import json

import hf_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.upstream.hf import hearing, kept

pytest.importorskip("transformers")
s3prl_plugin.register()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return {name: hf_models.save(name, tmp_path_factory.mktemp(name)) for name in ("hubert-stable", "encodec")}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache; the folder of the files in it."""
    monkeypatch.setenv("S3PRL_PLUGIN_CACHE", str(tmp_path))
    return tmp_path / "hf"


@pytest.fixture
def calls(monkeypatch):
    """The number of samples of every utterance that a network hears."""
    heard = []
    stock = hearing.Hearing.__call__
    monkeypatch.setattr(
        hearing.Hearing, "__call__", lambda self, waves: [heard.extend(map(len, waves)), stock(self, waves)][1]
    )
    return heard


def start(path, **options):
    from s3prl import hub

    return hub.hf(ckpt=path, **options)


def everything(path, **options):
    """What probing decides: taps, costs, the law of frames, and the states of utterances of different lengths."""
    upstream = start(path, **options)
    with torch.no_grad():
        states = upstream([torch.full((n,), 0.01) for n in (9000, 12001)])["states"]
    return upstream.taps, upstream.describe()["macs_per_s"], upstream.laws, states.tensors, states.lengths


def assert_same(found, wanted):
    assert found[:3] == wanted[:3]
    for x, y in zip(found[3] + found[4], wanted[3] + wanted[4], strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("name", ["hubert-stable", "encodec"])  # one in mixed batches; strides that are fractions
def test_a_second_start_hears_the_utterances_alone(folder, calls, name):
    wanted = everything(folder[name])
    assert len(calls) > 10
    calls.clear()
    assert_same(everything(folder[name]), wanted)
    assert len(calls) == 2


DAMAGES = {
    "empty": lambda text: "",
    "cut off": lambda text: text[: len(text) // 2],
    "no mapping": lambda text: "[1, 2]",
    "another stride": lambda text: text.replace('"stride": 320', '"stride": 640'),
    "another number": lambda text: json.dumps({**json.loads(text), "found": 17}),
    "another key": lambda text: json.dumps({**json.loads(text), "key": {}}),
    "no text": lambda text: "\udcff",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_passed_over_and_written_anew(folder, cache, damage):
    wanted = everything(folder["hubert-stable"])
    whole = {file: file.read_text() for file in cache.iterdir()}
    assert len(whole) == 4
    for file, text in whole.items():
        file.write_text(DAMAGES[damage](text), errors="surrogateescape")
    assert_same(everything(folder["hubert-stable"]), wanted)
    assert {file: file.read_text() for file in cache.iterdir()} == whole


def test_what_decides_a_finding(folder, cache, calls, tmp_path, monkeypatch):
    path = folder["hubert-stable"]
    everything(path)

    def new(make):
        """The kinds of findings that are made again."""
        before = set(cache.iterdir())
        make()
        return sorted(json.loads(file.read_text())["key"]["what"] for file in set(cache.iterdir()) - before)

    assert new(lambda: everything(hf_models.save("hubert-stable", tmp_path / "copy"))) == []
    assert new(lambda: everything(path, random_weights=True, seed=3)) == ["moved"]
    assert new(lambda: everything(path, layers="feature_extractor.conv_layers")) == ["laws", "macs", "moved", "taps"]
    assert new(lambda: everything(path, stop_at="layer1")) == ["laws", "macs", "moved"]
    assert new(lambda: everything(path, pool_to="mean:40", native=True)) == []
    wider = hf_models.save("hubert-stable", tmp_path / "wider", num_conv_pos_embeddings=8)
    assert new(lambda: everything(wider)) == ["laws", "macs", "moved", "taps"]
    monkeypatch.setattr(kept, "version", lambda name: "0.0")
    assert new(lambda: start(path)) == ["taps"]
    monkeypatch.setattr(kept, "_code", lambda: "other")
    assert new(lambda: start(path)) == ["taps"]


def test_where_nothing_can_be_written_it_is_found_out_again(folder, calls, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("S3PRL_PLUGIN_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        calls.clear()
        start(folder["hubert-stable"])
        assert calls
        assert "the next start finds it out again" in capsys.readouterr().err


def test_of_unknown_code_nothing_is_kept(cache):
    found = iter([1.0, 2.0])
    assert [kept.Findings(None).once("moved", lambda: next(found)) for _ in range(2)] == [1.0, 2.0]
    assert not cache.exists()
