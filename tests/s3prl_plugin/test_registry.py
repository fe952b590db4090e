"""Registration: cheap, lazy, one module object under two names, one owner per name."""

import importlib
import subprocess
import sys
import textwrap
import types
import uuid
from unittest import mock

import pytest

import s3prl_plugin
from s3prl_plugin import registry
from s3prl_plugin.errors import UserError


def run_python(code, *path):
    """What a fresh process prints; folders in `path` come first when it imports."""
    head = f"import sys; sys.path[:0] = {[str(p) for p in path]}\n"
    ended = subprocess.run([sys.executable, "-c", head + textwrap.dedent(code)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of somebody else: an upstream's entry, and a downstream with a module beside its expert."""
    name = f"thirdparty_{uuid.uuid4().hex}"
    folder = tmp_path / name / "task"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder.parent / "entries.py").write_text(
        "def tiny(ckpt=None, **kwargs):\n    'A tiny one.'\n    return ckpt, kwargs\n"
    )
    (folder / "__init__.py").write_text("")
    (folder / "expert.py").write_text("from .head import Head\nclass DownstreamExpert(Head): pass\n")
    (folder / "head.py").write_text("class Head: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    s3prl_plugin.register()
    with mock.patch.dict(registry._upstreams()), mock.patch.dict(registry._downstreams()):
        yield name


def test_registering_imports_nothing_heavy():
    heavy = "torch", "torchaudio", "s3prl", "transformers", "huggingface_hub", "numpy", "librosa", "yaml"
    code = f"""
    import s3prl_plugin
    s3prl_plugin.register(); s3prl_plugin.register()
    print([name for name in {heavy} if name in sys.modules])
    print([name for name in sys.modules if name.startswith(("s3prl_plugin.upstream", "s3prl_plugin.downstream"))])
    """
    assert run_python(code) == "[]\n[]\n"


def test_loading_the_hub_imports_no_code_of_the_plugin():
    code = """
    import s3prl_plugin; s3prl_plugin.register()
    import s3prl.hub
    print("mr_hubert_local" in dir(s3prl.hub), "mr_hubert_local" in s3prl.hub.options())
    print([name for name in sys.modules if name.endswith(("hubconf", "expert", "model")) and "plugin" in name])
    """
    assert run_python(code) == "True True\n[]\n"


def test_entries_are_set_whether_the_hub_comes_before_or_after():
    code = """
    import s3prl_plugin
    from s3prl_plugin import compat, registry
    compat.install()
    import s3prl.hub
    before = "mr_hubert_local" in s3prl.hub.options()
    s3prl_plugin.register()
    from s3prl.nn import S3PRLUpstream
    names = S3PRLUpstream.available_names(), S3PRLUpstream.available_names(only_registered_ckpt=True)
    print(before, ["mr_hubert_local" in n for n in names], "fbank" in names[0])
    """
    assert run_python(code) == "False [True, False] True\n"


def test_an_entry_calls_its_target_and_has_its_documentation(package):
    import inspect

    registry.add_upstream("tiny_local", f"{package}.entries:tiny")
    from s3prl import hub

    assert f"{package}.entries" not in sys.modules
    assert hub.tiny_local(ckpt="a.pt", refresh=False) == ("a.pt", {"refresh": False})
    assert hub.tiny_local.__doc__ == "A tiny one."
    assert hub.tiny_local.__name__ == "tiny_local"
    assert list(inspect.signature(hub.tiny_local).parameters) == ["ckpt", "kwargs"]
    assert "tiny_local" in registry.upstream_names()
    registry.add_upstream("tiny_local", f"{package}.entries:tiny")  # the same owner, once more
    del hub.tiny_local


def test_a_downstream_is_one_module_under_two_names(package):
    registry.add_downstream("task", f"{package}.task")
    alias = importlib.import_module("s3prl.downstream.task.expert")
    real = importlib.import_module(f"{package}.task.expert")
    assert alias is real
    assert importlib.import_module("s3prl.downstream.task.head") is sys.modules[f"{package}.task.head"]
    assert sys.modules["s3prl.downstream.task"] is sys.modules[f"{package}.task"]
    assert real.__spec__.name == real.__name__ == f"{package}.task.expert"
    assert real.__package__ == f"{package}.task"
    assert real.__spec__.loader is real.__loader__
    assert real.DownstreamExpert.__module__ == f"{package}.task.expert"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("s3prl.downstream.task.absent")


def test_own_downstreams_are_aliased_in_a_fresh_process():
    code = """
    import importlib, s3prl_plugin; s3prl_plugin.register()
    for name in s3prl_plugin.registry.downstreams():
        alias = importlib.import_module(f"s3prl.downstream.{name}")
        real = importlib.import_module(f"s3prl_plugin.downstream.{name}")
        print(alias is real, real.__spec__.name == f"s3prl_plugin.downstream.{name}")
    """
    assert set(run_python(code).splitlines()) == {"True True"}


def test_a_name_of_s3prl_is_refused_with_both_owners(package):
    from s3prl import hub

    own = hub.fbank
    with pytest.raises(UserError, match=r"'fbank' belongs to s3prl\.upstream\.baseline\.hubconf, and mine:fbank wants"):
        registry.add_upstream("fbank", "mine:fbank")
    assert hub.fbank is own
    assert "fbank" not in registry.upstreams()
    with pytest.raises(UserError, match=r"'voxceleb1' belongs to .*s3prl.downstream.voxceleb1, and mine\.vox wants"):
        registry.add_downstream("voxceleb1", "mine.vox")
    assert "voxceleb1" not in registry.downstreams()


def test_a_name_of_another_plugin_is_refused_with_both_owners(package):
    registry.add_upstream("tiny_local", f"{package}.entries:tiny")
    with pytest.raises(UserError, match=f"'tiny_local' belongs to {package}.entries:tiny, and other:tiny wants"):
        registry.add_upstream("tiny_local", "other:tiny")
    registry.add_downstream("task", f"{package}.task")
    with pytest.raises(UserError, match=rf"'task' belongs to {package}\.task, and other\.task wants"):
        registry.add_downstream("task", "other.task")


def test_a_name_that_a_later_s3prl_takes_is_refused_when_it_is_loaded(monkeypatch):
    hub = types.ModuleType("s3prl.hub")
    hub.mr_hubert_local = test_registering_imports_nothing_heavy
    with pytest.raises(UserError, match=f"belongs to {__name__}, and s3prl_plugin.upstream"):
        registry._publish_upstreams(hub)
    monkeypatch.setattr(registry, "_downstreams", lambda: {"emotion": "mine.emotion"})
    with pytest.raises(UserError, match="downstream 'emotion' belongs to"):
        registry._refuse_taken_downstreams(hub)


@pytest.mark.parametrize(
    ("name", "target"), [("a", "no_function"), ("_a", "m:f"), ("a b", "m:f"), ("a", "m:"), ("a", ":f")]
)
def test_a_target_that_cannot_be_is_refused(name, target):
    with pytest.raises(UserError, match="module:function"):
        registry.add_upstream(name, target)
    with pytest.raises(UserError, match="identifier"):
        registry.add_downstream("a b", "mine")


def test_unknown_names_get_the_closest_of_both(package):
    registry.check_upstream("fbank")
    registry.check_downstream("voxceleb1")
    registry.check_downstream("cca")
    with pytest.raises(UserError, match=r"'mr_hubert_locale'.*did you mean 'mr_hubert_local'"):
        registry.check_upstream("mr_hubert_locale")
    with pytest.raises(UserError, match="did you mean 'hubert_base'"):
        registry.check_upstream("hubert_bass")
    with pytest.raises(UserError, match="did you mean 'suite'"):
        registry.check_downstream("siute")
    with pytest.raises(UserError, match="did you mean 'voxceleb1'"):
        registry.check_downstream("voxceleb")


def test_listing_downstreams_loads_nothing():
    code = """
    from s3prl_plugin import registry
    names = registry.downstream_names()
    print({"cca", "mi", "suite", "voxceleb1", "ctc"} <= set(names), "runner" in names, "docs" in names)
    print("s3prl" in sys.modules, "torch" in sys.modules)
    """
    assert run_python(code) == "True False False\nFalse False\n"
