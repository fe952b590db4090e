"""Import hooks, on modules made for the purpose."""

import importlib
import importlib.machinery
import subprocess
import sys
import uuid

import pytest

from s3prl_plugin.compat import hooks


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    """Writes a module of a fresh name that can be imported; returns the name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names = []

    def write(source):
        names.append(f"hooked_{uuid.uuid4().hex}")
        (tmp_path / f"{names[-1]}.py").write_text(source)
        importlib.invalidate_caches()
        return names[-1]

    yield write
    for name in names:
        sys.modules.pop(name, None)


def test_nothing_is_imported_by_hooking(write_module):
    name = write_module("value = 1")
    hooks.after_import(name, lambda module: None)
    assert name not in sys.modules


def test_after_import_sees_the_finished_module(write_module):
    name = write_module("value = 1")
    hooks.after_import(name, lambda module: setattr(module, "value", module.value + 1))
    hooks.after_import(name, lambda module: setattr(module, "value", module.value * 10))
    assert importlib.import_module(name).value == 20


def test_after_import_acts_at_once_on_a_loaded_module(write_module):
    name = write_module("value = 1")
    module = importlib.import_module(name)
    hooks.after_import(name, lambda module: setattr(module, "value", 2))
    assert module.value == 2


def test_a_hooked_module_keeps_its_own_loader(write_module):
    name = write_module("loader_while_running = __loader__")
    hooks.after_import(name, lambda module: None)
    module = importlib.import_module(name)
    own = importlib.machinery.SourceFileLoader
    assert isinstance(module.__loader__, own)
    assert isinstance(module.__spec__.loader, own)
    assert isinstance(module.loader_while_running, own)


def test_a_module_is_filled_in_place_of_being_run(write_module):
    name = write_module("value = 1\nran = True")
    hooks.run_instead(name, lambda module: setattr(module, "value", 2) or True)
    hooks.after_import(name, lambda module: setattr(module, "value", module.value * 10))
    module = importlib.import_module(name)
    assert module.value == 20
    assert not hasattr(module, "ran")
    other = write_module("value = 1")
    hooks.run_instead(other, lambda module: False)
    assert importlib.import_module(other).value == 1


def test_rescue_mends_the_named_errors_only(write_module):
    mended, broken = write_module("half = 1\nraise OSError('gone')"), write_module("raise KeyError('other')")
    for name in (mended, broken):
        hooks.rescue_import(name, (OSError,), lambda module, error: setattr(module, "whole", str(error)))
    module = importlib.import_module(mended)
    assert (module.half, module.whole) == (1, "gone")
    with pytest.raises(KeyError, match="other"):
        importlib.import_module(broken)


def test_rescue_leaves_a_healthy_module_alone(write_module):
    name = write_module("value = 1")
    hooks.rescue_import(name, (OSError,), lambda module, error: setattr(module, "value", 2))
    assert importlib.import_module(name).value == 1


def test_an_error_of_the_hook_is_an_error_of_the_import(write_module):
    name = write_module("value = 1")

    def refuse(module):
        raise ValueError("refused")

    hooks.after_import(name, refuse)
    with pytest.raises(ValueError, match="refused"):
        importlib.import_module(name)
    assert name not in sys.modules


def test_hooks_come_before_a_finder_that_was_first():
    """In a process of its own: a finder at the head of the list finds the module, as an editable install's may."""
    script = """
import sys
from importlib.machinery import PathFinder


class First:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, path) if name == "wave" else None


sys.meta_path.insert(0, First)
from s3prl_plugin.compat import hooks
hooks.after_import("wave", lambda module: print("seen", module.__name__))
import wave
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "seen wave\n"
