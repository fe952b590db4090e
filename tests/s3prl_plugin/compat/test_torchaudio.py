"""torchaudio's shims, on fake torchaudios that lack one thing or another, and on the real one."""

import gc
import subprocess
import sys
import textwrap
import weakref
from types import ModuleType

import pytest

from s3prl_plugin.compat import torchaudio

COMPLETE = """
from . import _extension
def load(): return "own load"
def save(): return "own save"
def info(): return "own info"
def set_audio_backend(name): return "own backend"
def list_audio_backends(): return ["sox"]
"""
WITHOUT_BACKENDS = """
from . import _extension
def load(): return "own load"
def save(): return "own save"
load_with_torchcodec = load
"""


def run_with_fake(tmp_path, files, code):
    """Run `code` after compat.install() where `files` (path -> source) come first on the path; its output."""
    for name, source in {"torch/__init__.py": "__version__ = 'fake'", **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom s3prl_plugin import compat; compat.install()\n"
    ended = subprocess.run([sys.executable, "-c", program + textwrap.dedent(code)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split("\n")[:-1]


def test_a_complete_torchaudio_is_left_alone(tmp_path):
    files = {
        "torchaudio/__init__.py": COMPLETE,
        "torchaudio/_extension.py": "_IS_TORCHAUDIO_EXT_AVAILABLE = True",
        "torchaudio/sox_effects.py": "mine = True",
    }
    code = """
    import torchaudio, torchaudio.sox_effects
    print(torchaudio.load(), torchaudio.save(), torchaudio.info(), torchaudio.set_audio_backend(""))
    print(torchaudio.sox_effects.mine, torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE, compat.healed())
    """
    assert run_with_fake(tmp_path, files, code) == ["own load own save own info own backend", "True True ()"]


def test_load_is_left_alone_where_torchcodec_works(tmp_path):
    files = {
        "torchaudio/__init__.py": WITHOUT_BACKENDS,
        "torchaudio/_extension.py": "",
        "torchcodec/__init__.py": "",
        "torchcodec/decoders.py": "",
    }
    assert run_with_fake(tmp_path, files, "import torchaudio; print(torchaudio.load(), torchaudio.save())") == [
        "own load own save"
    ]


@pytest.mark.parametrize("torchcodec", [{}, {"torchcodec/__init__.py": "raise RuntimeError('no FFmpeg')"}])
def test_what_2_9_removed_is_back(tmp_path, torchcodec):
    files = {"torchaudio/__init__.py": WITHOUT_BACKENDS, "torchaudio/_extension.py": "", **torchcodec}
    code = """
    import torchaudio
    from torchaudio.sox_effects import apply_effects_file
    from torchaudio import info, load, save
    print(torchaudio.set_audio_backend("sox_io"), torchaudio.list_audio_backends())
    print({f.__module__ for f in (load, save, info)}, apply_effects_file.__module__)
    """
    assert run_with_fake(tmp_path, files, code) == [
        "None ['soundfile']",
        "{'s3prl_plugin.compat.soundfile_io'} s3prl_plugin.compat.sox_effects",
    ]


def test_sox_effects_without_sox_are_replaced_and_nothing_else(tmp_path):
    files = {
        "torchaudio/__init__.py": COMPLETE.replace('["sox"]', '["soundfile"]'),
        "torchaudio/_extension.py": "",
        "torchaudio/sox_effects.py": "raise OSError('libsox.so')",
    }
    code = """
    import torchaudio
    from torchaudio.sox_effects import apply_effects_tensor
    print(apply_effects_tensor.__module__, torchaudio.load(), len(compat.healed()))
    """
    assert run_with_fake(tmp_path, files, code) == ["s3prl_plugin.compat.sox_effects own load 1"]


def test_an_extension_that_does_not_load_keeps_nothing_alive():
    """Torchaudio may be imported deep inside a run, whose frames hold models and statistics."""
    extension = ModuleType("extension")

    def imported(held):
        try:
            raise OSError("no library")
        except OSError as error:
            torchaudio._without_extension(extension, error)

    held = ModuleType("held")
    gone = weakref.ref(held)
    imported(held)
    del held
    gc.collect()
    assert gone() is None
    with pytest.raises(RuntimeError, match="no library"):
        extension.fail_if_no_align(imported)()


@pytest.mark.parametrize("error", ["OSError", "RuntimeError"])
def test_an_extension_that_does_not_load_is_done_without(tmp_path, error):
    files = {
        "torchaudio/__init__.py": COMPLETE,
        "torchaudio/sox_effects.py": "",
        "torchaudio/_extension.py": f"raise {error}('built for another torch')",
    }
    code = """
    from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE, fail_if_no_align
    @fail_if_no_align
    def forced_align(): return "aligned"
    try:
        forced_align()
    except RuntimeError as error:
        print(_IS_TORCHAUDIO_EXT_AVAILABLE, error)
    """
    (line,) = run_with_fake(tmp_path, files, code)
    assert line.startswith("False torchaudio.functional.forced_align needs")
    assert "built for another torch" in line


def test_another_failure_of_the_extension_is_not_hidden(tmp_path):
    files = {
        "torchaudio/__init__.py": COMPLETE,
        "torchaudio/sox_effects.py": "",
        "torchaudio/_extension.py": "raise KeyError('a bug')",
    }
    code = """
    try:
        import torchaudio
    except KeyError as error:
        print("raised", error)
    """
    assert run_with_fake(tmp_path, files, code) == ["raised 'a bug'"]


def test_the_real_torchaudio_computes_features():
    code = """
    import s3prl_plugin; s3prl_plugin.register()
    import torch, torchaudio
    torch.manual_seed(0)
    x = torch.randn(1, 16000)
    print(tuple(torchaudio.compliance.kaldi.fbank(x, num_mel_bins=80).shape),
          tuple(torchaudio.transforms.Resample(16000, 8000)(x).shape))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert ended.stdout == "(98, 80) (1, 8000)\n", ended.stderr
