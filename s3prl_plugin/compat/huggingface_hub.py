"""huggingface_hub >= 1.0 lacks two names that s3prl's runner imports and seldom uses; a third one is slow."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NoReturn

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.errors import UserError

GONE = ("HfFolder", "Repository")
SLOW = "HfApi"  # brings an HTTP client
USERS = ("s3prl.run_downstream", "s3prl.downstream.runner")


class _Gone(type):
    """A class of which nothing can be used: not an instance, not an attribute."""

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise _error(cls.__name__)

    def __getattr__(cls, name: str) -> NoReturn:
        # Private names are what the import system, inspect and pickle ask for: absent, not an error of the user.
        if name.startswith("_"):
            raise AttributeError(name)
        raise _error(f"{cls.__name__}.{name}")


def _error(name: str) -> UserError:
    """What a user is told who asks for a name that is gone."""
    return UserError(
        f"huggingface_hub.{name} is gone since huggingface_hub 1.0, and s3prl's --hub huggingface and "
        "--push_to_hf_hub need it: leave these options out"
    )


def install() -> None:
    """Hook the imports of huggingface_hub and of what takes names from it."""
    hooks.after_import("huggingface_hub", _stand_in)
    hooks.before_import(USERS.__contains__, _lend)
    for name in USERS:
        hooks.after_import(name, _take_back)


class _Later:
    """Stands in for the class `HfApi`, which is imported when one is made."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        from huggingface_hub.hf_api import HfApi

        return HfApi(*args, **kwargs)


def _lend(_: ModuleType) -> None:
    """Before a module of s3prl's takes the slow class: give it one that is made later."""
    import huggingface_hub

    if SLOW not in vars(huggingface_hub):
        setattr(huggingface_hub, SLOW, _Later)
        note("s3prl", "0.4.18", f"{SLOW} of huggingface_hub is imported when it is used")


def _take_back(_: ModuleType) -> None:
    """After the last of them has: leave huggingface_hub as it is."""
    import huggingface_hub

    taken = all(hasattr(sys.modules[name], SLOW) for name in USERS if name in sys.modules)
    if taken and vars(huggingface_hub).get(SLOW) is _Later:
        delattr(huggingface_hub, SLOW)


def is_gone(name: str) -> bool:
    """Whether a name of huggingface_hub is a stand-in that cannot be used."""
    import huggingface_hub

    return isinstance(getattr(huggingface_hub, name, None), _Gone)


def _stand_in(module: ModuleType) -> None:
    """Put a name that raises when used in place of each one that is missing."""
    missing = [name for name in GONE if not hasattr(module, name)]
    for name in missing:
        setattr(module, name, _Gone(name, (), {"__module__": __name__}))
    if missing:
        note(
            "huggingface_hub", "1.0", f"{' and '.join(missing)}: gone since 1.0; the names are back and raise when used"
        )
