"""A checkpoint that is named is the one that is loaded, or one line says which entry would load it."""

import foreign_models
import pytest
import torch
import yaml

import s3prl_plugin
from s3prl_plugin import config, download, own_upstreams, study
from s3prl_plugin.analysis.other_models import second_upstream
from s3prl_plugin.commands import main
from s3prl_plugin.errors import UserError
from s3prl_plugin.run_downstream import main as run
from s3prl_plugin.states import upstream_files
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.network.config import Config

s3prl_plugin.register()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One checkpoint of every kind, each of a small random model."""
    folder = tmp_path_factory.mktemp("files")
    load.save(folder / "fairseq_mr_hubert.pt", small.random_network(small.small_config(dim=32)), classes=(5, 5))
    load.save(folder / "fairseq_hubert.pt", small.random_network(plain(small.small_config(dim=32))), classes=(5,))
    foreign_models.hubert(folder / "s3prl_hubert.pt")
    foreign_models.multires_hubert(folder / "s3prl_mr_hubert.pt")
    foreign_models.wavlm(folder / "wavlm.pt")
    foreign_models.hf("Hubert", folder / "hf_hubert")
    foreign_models.hf("Wav2Vec2", folder / "hf_wav2vec2")
    (folder / "notes.txt").write_text("nothing")
    return folder


def plain(of_two: Config) -> Config:
    """A HuBERT of the same sizes."""
    from dataclasses import replace

    return replace(of_two, ratios=(), middle_residual=False, layers=of_two.layers[:1])


READERS = {
    "fairseq_mr_hubert.pt": "mr_hubert_local",
    "fairseq_hubert.pt": "hubert_fairseq_local",
    "s3prl_hubert.pt": "hubert_fairseq_local",
    "s3prl_mr_hubert.pt": "mr_hubert_local",
    "hf_hubert": "hf_hubert_custom",
    "hf_wav2vec2": "hf_wav2vec2_custom",
    "wavlm.pt": None,
    "notes.txt": None,
}


@pytest.mark.parametrize("name", READERS)
def test_the_entry_that_is_named_loads_the_file(files, name):
    reader = own_upstreams.entry_for(files / name)
    assert reader == READERS[name]
    if reader is not None:
        from s3prl import hub

        with torch.no_grad():
            assert len(getattr(hub, reader)(ckpt=str(files / name)).eval()([torch.randn(4000)])["hidden_states"]) > 1


@pytest.mark.parametrize(("upstream", "name", "told"), [
    ("hubert_base", "fairseq_hubert.pt", "load it with -u hubert_fairseq_local, or leave it out"),
    ("hubert_base", "hf_hubert", "load it with -u hf_hubert_custom, or leave it out"),
    ("hubert_base", "notes.txt", "load it with -u hubert_custom, hubert_local or hubert_url, or leave it out"),
    ("wavlm_large", "wavlm.pt", "load it with -u wavlm_local or wavlm_url, or leave it out"),
    ("vq_apc", "notes.txt", "load it with -u vq_apc_url, or leave it out"),
    ("fbank", "notes.txt", "does not read the checkpoint that it is given; leave it out"),
    ("hubert_base", "missing.pt", "load it with -u hubert_custom, hubert_local or hubert_url"),
    ("hubert_custom", "missing.pt", "missing.pt: no such file; hubert_custom loads a local checkpoint"),
])  # fmt: skip
def test_what_would_not_be_read_is_refused_before_anything_is_loaded(files, upstream, name, told, tmp_path, capsys):
    given = str(files / name)
    with pytest.raises(UserError, match=told):
        upstream_files.check(upstream, given)
    with pytest.raises(UserError, match=f"^-k .*{told}"):
        run(["-m", "evaluate", "-d", "rank", "-u", upstream, "-k", given, "-p", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match=told):
        second_upstream.load(upstream, given, {}, "cpu")
    assert main(["ls", "taps", upstream, "-k", given]) == 2
    assert told in capsys.readouterr().err
    text = yaml.safe_dump({"study": {"upstreams": {"mine": {"upstream": upstream, "checkpoint": given}}}})
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(UserError, match=f"study.yaml, line .*{told}"):
        study.read(config.read(tmp_path / "study.yaml"))


@pytest.mark.parametrize("upstream", ["hubert_local", "hubert_custom", "multires_hubert_custom", "wavlm_local"])
@pytest.mark.parametrize("name", ["fairseq_mr_hubert.pt", "fairseq_hubert.pt", "hf_hubert", "notes.txt"])
def test_a_file_of_another_kind_is_one_line_with_the_entry_that_reads_it(files, upstream, name):
    from s3prl import hub

    given = str(files / name)
    told = pytest.raises(UserError, match=f"{name}: {upstream} cannot load this file")
    with told as caught, upstream_files.loading(upstream, given):
        getattr(hub, upstream)(ckpt=given, model_config=None)
    cure = f"load it with -u {READERS[name]}" if READERS[name] else "give one that this entry reads"
    assert str(caught.value).endswith(cure)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None, "whoever wants the traceback finds it"


def test_the_same_from_a_run_and_from_a_second_model(files, tmp_path):
    told = "fairseq_hubert.pt: hubert_local cannot load this file .*load it with -u hubert_fairseq_local$"
    given = str(files / "fairseq_hubert.pt")
    with pytest.raises(UserError, match=told):
        run(["-m", "evaluate", "-d", "rank", "-u", "hubert_local", "-k", given, "-p", str(tmp_path / "out")])
    with pytest.raises(UserError, match=told):
        second_upstream.load("hubert_local", given, {}, "cpu")
    with pytest.raises(UserError, match="hubert_local needs a checkpoint: give it with -k"):
        second_upstream.load("hubert_local", None, {}, "cpu")


def test_a_fault_in_the_upstream_of_another_package_is_not_covered_up(monkeypatch):
    import s3prl.hub

    def faulty(ckpt, **kwargs):
        raise KeyError("a bug")

    monkeypatch.setattr(s3prl.hub, "of_another_package", faulty, raising=False)
    with pytest.raises(KeyError, match="a bug"), upstream_files.loading("of_another_package", "file.pt"):
        faulty("file.pt")


def test_without_a_network_a_published_model_is_one_line_with_the_file_to_put_where(monkeypatch, tmp_path):
    import s3prl.util.download

    monkeypatch.setattr(s3prl.util.download, "_download_dir", tmp_path)
    monkeypatch.setattr(download, "PAUSES_S", ())
    monkeypatch.setattr(download.urllib.request, "urlopen", unreachable)
    with pytest.raises(
        UserError, match="cannot be fetched: no network here; get the file elsewhere and put it at"
    ) as e:
        second_upstream.load("hubert_base", None, {}, "cpu")
    asked = str(e.value).partition(" ")[0]
    place = download.cache_path(asked)
    assert place.parent == tmp_path
    assert str(e.value).endswith(str(place))
    # put there, it is what s3prl loads
    foreign_models.hubert(place)
    model = second_upstream.load("hubert_base", None, {}, "cpu")
    assert len(model.taps) == 3
    # and it is not exchanged for another one unnoticed
    second_upstream._loaded.clear()
    torch.manual_seed(1)
    foreign_models.hubert(place)
    with pytest.raises(UserError, match="as when it was first downloaded"):
        second_upstream.load("hubert_base", None, {}, "cpu")


def unreachable(*args, **kwargs):
    raise OSError("no network here")
