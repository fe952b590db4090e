"""torchaudio: an extension built for another torch, and the audio functions that it dropped in 2.9."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note

NO_BACKEND_TO_SET = "there is one backend, soundfile; nothing is to be set"


def install() -> None:
    """Hook the import of torchaudio and of its compiled extension."""
    # OSError: a CUDA build beside a CPU torch; RuntimeError: both built with CUDA, of different versions.
    hooks.rescue_import("torchaudio._extension", (OSError, RuntimeError), _without_extension)
    hooks.after_import("torchaudio", _with_audio_functions)


def _without_extension(extension: ModuleType, error: Exception) -> None:
    """What torchaudio takes from its extension when it has been built without one."""
    why = str(error)  # the error itself would keep alive whatever the frames hold that asked for torchaudio

    def unavailable(function: Callable[..., Any]) -> Callable[..., NoReturn]:
        def refuse(*args: Any, **kwargs: Any) -> NoReturn:
            raise RuntimeError(f"torchaudio.functional.{function.__name__} needs torchaudio's extension: {why}")

        return refuse

    extension._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    extension._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    extension.fail_if_no_align = unavailable  # type: ignore[attr-defined]
    extension._check_cuda_version = lambda: None  # type: ignore[attr-defined]
    import torch

    note("torchaudio", "any", f"its compiled extension does not load beside torch {torch.__version__}: done without it")


def _with_audio_functions(torchaudio: ModuleType) -> None:
    """Give torchaudio back what 2.9 removed; each name only where it is missing or cannot work."""
    from s3prl_plugin.compat import soundfile_io

    # s3prl calls it whenever a module of its own is imported, and nobody can act on what 2.1 to 2.8 warn of.
    warnings.filterwarnings("ignore", message=r"torchaudio.*set_audio_backend has been deprecated")
    if not hasattr(torchaudio, "list_audio_backends"):
        torchaudio.list_audio_backends = lambda: ["soundfile"]  # type: ignore[attr-defined]
    if not hasattr(torchaudio, "set_audio_backend"):
        torchaudio.set_audio_backend = lambda backend=None: None  # type: ignore[attr-defined]
        torchaudio.get_audio_backend = lambda: "soundfile"  # type: ignore[attr-defined]
        note("torchaudio", "2.9", f"set_audio_backend: removed; {NO_BACKEND_TO_SET}")

    if hasattr(torchaudio, "load_with_torchcodec") and not _torchcodec_works():
        torchaudio.load = soundfile_io.load  # type: ignore[attr-defined]
        torchaudio.save = soundfile_io.save  # type: ignore[attr-defined]
        note("torchaudio", "2.9", "load, save: need TorchCodec, which is not there; soundfile reads and writes")
    if not hasattr(torchaudio, "info"):
        torchaudio.info = soundfile_io.info  # type: ignore[attr-defined]
        torchaudio.AudioMetaData = soundfile_io.AudioMetaData  # type: ignore[attr-defined]
        note("torchaudio", "2.9", "info: removed; soundfile reads the header")

    if not _sox_works(torchaudio):
        from s3prl_plugin.compat import sox_effects

        sys.modules["torchaudio.sox_effects"] = sox_effects
        torchaudio.sox_effects = sox_effects  # type: ignore[attr-defined]
        names = ", ".join(sox_effects.effect_names())
        note("torchaudio", "2.9", f"sox_effects: removed, or SoX is not there; these effects are provided: {names}")


def _sox_works(torchaudio: ModuleType) -> bool:
    """Whether torchaudio's own sox_effects are there, and the library that they call."""
    if importlib.util.find_spec("torchaudio.sox_effects") is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2.8 announces that the function will go
        return "sox" in torchaudio.list_audio_backends()


def _torchcodec_works() -> bool:
    """Whether torchaudio's own load has what it needs."""
    if importlib.util.find_spec("torchcodec") is None:
        return False
    try:
        import torchcodec.decoders  # noqa: F401
    except Exception:  # it is there and broken: without FFmpeg it fails with whatever its loader raised
        return False
    return True
