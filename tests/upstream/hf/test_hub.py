"""Names on the hub: fetched once with the size said, and from then on without a network."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import hf_models
import pytest

import s3prl_plugin
from s3prl_plugin.compat import hf_folder

pytest.importorskip("transformers")
s3prl_plugin.register()
COMMIT = "0123456789ab" + "c" * 28


@pytest.fixture
def hub_of_one(tmp_path, monkeypatch):
    """A hub with one model, that keeps what is fetched as huggingface_hub does; and what was asked of it."""
    model, cache, asked = Path(hf_models.save("wavlm-stable", tmp_path / "model")), tmp_path / "cache", []
    snapshot = cache / "models--someone--small" / "snapshots" / COMMIT

    def download(name, file, cache_dir=None, local_files_only=False):
        from huggingface_hub.errors import EntryNotFoundError

        asked.append(file)
        if not (model / file).is_file():
            raise EntryNotFoundError(file)
        snapshot.mkdir(parents=True, exist_ok=True)
        refs = snapshot.parents[1] / "refs"
        refs.mkdir(exist_ok=True)
        (refs / "main").write_text(COMMIT)
        return shutil.copy(model / file, snapshot / file)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda url, **_: SimpleNamespace(size=1_230_000_000))
    monkeypatch.setattr(hf_folder, "_answers", lambda name: asked.append("?") or True)
    return asked


def test_the_size_is_said_and_nothing_is_asked_twice(hub_of_one, capfd):
    from s3prl import hub

    upstream = hub.hf(ckpt="someone/small")
    assert "someone/small: fetching model.safetensors, 1.2 GB" in capfd.readouterr().err
    assert upstream.describe()["checkpoint"] == "someone/small@0123456789ab"
    assert {"config.json", "model.safetensors"} <= set(hub_of_one)
    hub_of_one.clear()
    hub.hf(ckpt="someone/small")
    assert not {"config.json", "model.safetensors", "preprocessor_config.json"} & set(hub_of_one)
    assert "fetching" not in capfd.readouterr().err
