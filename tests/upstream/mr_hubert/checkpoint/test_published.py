"""The entries of published variants, with a small network in place of a published one."""

import dataclasses

import pytest
import torch

import s3prl_plugin
from s3prl_plugin import download
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import architecture, hubconf, small, variants
from s3prl_plugin.upstream.mr_hubert.checkpoint import load

s3prl_plugin.register()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def base(monkeypatch):
    """`mr_hubert_base` described as a small network, at an address where nothing answers."""
    config = small.small_config(dim=32)
    sizes = {field: getattr(config, field) for field in variants._ARCHITECTURE}
    entry = dataclasses.replace(variants.variant("mr_hubert_base"), address="http://127.0.0.1:9/base.pt", **sizes)
    monkeypatch.setitem(variants._variants(), "mr_hubert_base", entry)
    monkeypatch.setattr(download, "PAUSES_S", ())
    return entry


def write(path, seed=0, **sizes):
    path.parent.mkdir(parents=True, exist_ok=True)
    return small.write_random_checkpoint(path, small.small_config(**({"dim": 32} | sizes)), seed=seed)


def test_a_variant_loads_its_file_like_a_local_one(base, cache):
    path = write(download.cache_path(base.address))
    from s3prl import hub

    published, local = hub.mr_hubert_base(), hub.mr_hubert_local(ckpt=path)
    wave = torch.randn(1600, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pairs = zip(published.eval()([wave])["hidden_states"], local.eval()([wave])["hidden_states"], strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    assert published.describe() == local.describe() | {"variant": "mr_hubert_base"}
    assert download._digest_file(path).read_text().startswith(published.describe()["checkpoint_sha256"])


def test_a_trained_variant_says_what_it_was_trained_on(base, cache):
    write(download.cache_path(base.address))
    published = hubconf.mr_hubert_base()
    assert "pretraining" not in published.describe()  # its weights are random
    published.checkpoint = dataclasses.replace(published.checkpoint, train_step=400_000)
    said = published.describe()
    assert (said["pretraining"], said["unit_iteration"]) == ("LibriSpeech 960 h", 3)


def test_offline_it_says_which_file_to_put_where(base, cache):
    with pytest.raises(UserError) as error:
        hubconf.mr_hubert_base()
    assert base.address in str(error.value)
    assert str(download.cache_path(base.address)) in str(error.value)


def test_a_copy_that_s3prl_has_downloaded_serves_too(base, cache):
    write(download.cache_path(base.mirror), seed=1)
    mirrored = hubconf.mr_hubert_base().checkpoint.path
    assert mirrored == download.cache_path(base.mirror)
    write(download.cache_path(base.address), seed=2)
    assert hubconf.mr_hubert_base().checkpoint.path == download.cache_path(base.address), "its own file comes first"


def test_a_given_file_takes_the_place_of_the_download(base, tmp_path):
    given = hubconf.mr_hubert_base(ckpt=write(tmp_path / "given.pt"), dtype="bfloat16")
    assert given.describe()["variant"] == "mr_hubert_base"
    assert given.options.dtype == "bfloat16"
    with pytest.raises(UserError, match=r"is not mr_hubert_base.*layers \(2, 2, 2\), not \(1, 2, 1\)"):
        hubconf.mr_hubert_base(ckpt=write(tmp_path / "other.pt", layers=(1, 2, 1)))


def test_the_file_itself_decides_what_it_is(base, cache, capsys):
    write(download.cache_path(base.address), layers=(1, 2, 1))
    assert hubconf.mr_hubert_base().network.config.layers == (1, 2, 1)
    assert "its own file decides" in capsys.readouterr().err


def test_an_address_of_ones_own(cache, monkeypatch):
    url = "http://127.0.0.1:9/mine.pt"
    path = write(download.cache_path(url))
    assert hubconf.mr_hubert_url(ckpt=url).checkpoint.path == path
    with pytest.raises(UserError, match="needs an address"):
        hubconf.mr_hubert_url()


def test_taps_are_those_of_the_upstream(base, cache, tmp_path):
    options = tmp_path / "options.yaml"
    options.write_text("stop_at: mid.layer0\npool_to: mean:40\n")
    path = write(download.cache_path(base.address))
    for given in (None, options):
        upstream = hubconf.mr_hubert_base(model_config=given)
        assert architecture.taps("mr_hubert_base", None, given) == upstream.taps
        assert architecture.taps("mr_hubert_local", path, given) == upstream.taps
    assert architecture.config("mr_hubert_b8_c", path) == load.load(path).config


def test_taps_of_a_known_variant_need_no_file(cache):
    assert len(architecture.taps("mr_hubert_b2_a")) == 20
    assert not list(cache.iterdir())
    with pytest.raises(UserError, match="needs a checkpoint"):
        architecture.taps("mr_hubert_local")


def test_what_hubconf_has_not():
    with pytest.raises(AttributeError):
        hubconf.mr_hubert_b9_a  # noqa: B018
