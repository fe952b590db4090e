"""huggingface_hub >= 1.0 lacks two names that s3prl's runner imports and seldom uses."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NoReturn

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.errors import UserError

GONE = ("HfFolder", "Repository")


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
    """Hook the import of huggingface_hub."""
    hooks.after_import("huggingface_hub", _stand_in)


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
