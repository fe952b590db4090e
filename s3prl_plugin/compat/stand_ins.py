"""What s3prl's downstreams take from packages that are hard to install today, where those are missing.

KS takes one class from catalyst (whose last release cannot be read by pip, and which is given up); ASV imports a name
from the package sox and does not use it. The stand-ins are to be seen only while the downstream's module runs.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NoReturn

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.errors import UserError


def install() -> None:
    """Hook the imports that need them."""
    hooks.rescue_import("s3prl.downstream.speech_commands.expert", (ModuleNotFoundError,), _run_again)
    hooks.rescue_import("s3prl.downstream.sv_voxceleb1.dataset", (ModuleNotFoundError,), _run_again)


def _run_again(module: ModuleType, error: Exception) -> None:
    """Run a module that lacks a package once more, with a stand-in for it."""
    missing = str(getattr(error, "name", None)).partition(".")[0]
    if missing not in _STAND_INS or not isinstance(module.__loader__, importlib.abc.Loader):
        raise error
    what, build = _STAND_INS[missing]
    with _present(build()):
        module.__loader__.exec_module(module)
    note("s3prl", "0.4.18", f"{missing}: {what}")


@contextmanager
def _present(modules: dict[str, ModuleType]) -> Iterator[None]:
    """Modules that can be imported inside the block, and are forgotten afterwards."""
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


def _catalyst() -> dict[str, ModuleType]:
    """catalyst.data.sampler with the one class that is needed."""
    modules = {name: ModuleType(name) for name in ("catalyst", "catalyst.data", "catalyst.data.sampler")}
    modules["catalyst.data.sampler"].DistributedSamplerWrapper = _share_of  # type: ignore[attr-defined]
    return modules


def _share_of(sampler: Any) -> Any:
    """A sampler that gives this rank its share of what another one draws in every epoch."""
    from torch.utils.data import DistributedSampler

    class Share(DistributedSampler):
        def __iter__(self) -> Iterator[int]:
            drawn = list(sampler)
            return (drawn[position] for position in super().__iter__())

    return Share(range(len(sampler)))  # type: ignore[arg-type]


def _sox() -> dict[str, ModuleType]:
    """The package sox, of which nothing can be used."""

    class Transformer:
        def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
            raise UserError("the Python package sox is not installed: pip install sox")

    module = ModuleType("sox")
    module.Transformer = Transformer  # type: ignore[attr-defined]
    return {"sox": module}


_STAND_INS: dict[str, tuple[str, Callable[[], dict[str, ModuleType]]]] = {
    "catalyst": ("not installed; KS needs one class of it under torch.distributed, which is provided", _catalyst),
    "sox": ("not installed; ASV imports a name of it that it does not use", _sox),
}
