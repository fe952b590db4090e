"""s3prl's hub, whose names are read: beside the hub that s3prl's own code makes, and planted ones."""

import json
import subprocess
import sys
import textwrap

import pytest

from s3prl_plugin.compat import hub

LOOK = """
import json, sys
from pathlib import Path
from s3prl_plugin.compat import hub as read
{prepare}
from s3prl import hub
from s3prl.nn import S3PRLUpstream

def what(value):
    return type(value).__name__, getattr(value, "__module__", None), getattr(value, "__name__", None)

names = [name for name in dir(hub) if not name.startswith("_")]
print(json.dumps({{
    "dir": names,
    "options": hub.options(),
    "registered": S3PRLUpstream.available_names(only_registered_ckpt=True),
    "early": sorted(name for name in sys.modules if name.endswith(".hubconf") or name == "transformers"),
    "what": {{name: what(getattr(hub, name)) for name in names if name != "options"}},
}}))
"""


def look(prepare):
    done = subprocess.run([sys.executable, "-c", LOOK.format(prepare=prepare)], capture_output=True, check=True)
    return json.loads(done.stdout)


def test_the_hub_that_is_read_has_what_the_hub_that_runs_has():
    shims = (
        "from s3prl_plugin.compat import torchaudio, huggingface_hub; torchaudio.install(); huggingface_hub.install()"
    )
    stock = look(shims)
    ours = look(f"{shims}; read.install()")
    assert "transformers" in stock.pop("early")
    assert ours.pop("early") == []
    assert ours["options"] == stock["options"]
    assert ours == stock
    entries = [name for name, found in hub.names().items() if found.is_entry]
    assert set(stock["options"]) - set(entries) == {"FileLock", "Path", "load_and_convert_fairseq_ckpt"}


def test_an_upstream_is_imported_when_it_is_named():
    code = """
    import sys, s3prl_plugin; s3prl_plugin.register()
    from s3prl import hub
    before = "s3prl.upstream.apc.hubconf" in sys.modules
    taken = hub.vq_apc_url
    print(before, taken is sys.modules["s3prl.upstream.apc.hubconf"].apc_url is vars(hub)["vq_apc_url"])
    print(hasattr(hub, "no_such_upstream"), "s3prl.upstream.wavlm.hubconf" in sys.modules)
    from s3prl.hub import *
    print(wavlm_base is sys.modules["s3prl.upstream.wavlm.hubconf"].wavlm_base, mr_hubert_local is hub.mr_hubert_local)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True, text=True)
    assert done.stdout == "False True\nFalse False\nTrue True\n"


@pytest.fixture
def planted(tmp_path):
    """Writes a package s3prl whose hub takes all of the modules a and b."""

    def plant(a, b="", hub="from s3prl.a import *\nfrom s3prl.b import *\n"):
        folder = tmp_path / "s3prl"
        folder.mkdir()
        for name, source in {"__init__": "", "hub": hub, "a": a, "b": b}.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source))
        return folder

    return plant


def test_the_later_module_owns_a_name_as_an_import_of_all_does(planted):
    a = """
    import os, os.path as where
    from json import dumps as _dumps, loads
    from .hubconf import entry as other_name
    SIZE = 1
    def both(): pass
    def _hidden(): pass
    class Kind: pass
    """
    found = hub.read(planted(a, "def both(): pass\ndef of_b(): pass"))
    assert list(found) == ["os", "where", "loads", "other_name", "SIZE", "both", "Kind", "of_b"]
    assert [found[name].home for name in ("both", "Kind", "of_b")] == ["s3prl.b", "s3prl.a", "s3prl.b"]
    assert [name for name in found if found[name].is_entry] == ["other_name", "both", "of_b"]
    assert [name for name in found if not found[name].is_callable] == ["os", "where", "SIZE"]


@pytest.mark.parametrize(
    "source", ["if True:\n  def entry(): pass", "__all__ = ['entry']\ndef entry(): pass", "from os.path import *"]
)
def test_a_hub_that_only_running_tells_is_run(planted, source):
    code = f"""
    import sys; sys.path.insert(0, {str(planted(source).parent)!r})
    from s3prl_plugin.compat import hub as read
    read.install()
    import s3prl.hub
    print("s3prl.a" in sys.modules, set(read.names()) == {{n for n in vars(s3prl.hub) if not n.startswith("_")}})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True, text=True)
    assert done.stdout == "True True\n"


def test_without_s3prl_there_are_no_names(monkeypatch):
    monkeypatch.delitem(sys.modules, "s3prl", raising=False)
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None)
    assert hub.names() == {}
