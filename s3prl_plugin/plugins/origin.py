"""Which package something is of, what is imported of it when it is used, and how it stands on s3prl's hub."""

from __future__ import annotations

import importlib
from typing import Any

from s3prl_plugin.errors import UserError, reason
from s3prl_plugin.plugins import GUIDE, OWN, offers, plugin_flag
from s3prl_plugin.plugins.plugin_flag import DIGEST, version_of


def origin(target: str) -> dict[str, str]:
    """Which package something is of, for the rows that rest on it.

    Args:
        target: "package.module", with ":function" or not.

    Returns:
        The package's name -> its version, or a digest where it has none. Empty for this package and s3prl, whose
        versions all rows have, and for what `--plugin` has loaded, which `plugin_flag.versions` says.
    """
    top = target.partition(":")[0].partition(".")[0]
    if top in (OWN, "s3prl") or plugin_flag.has_loaded(top):
        return {}
    offer = next((offer for offer in offers.everything() if offer.target == target), None)
    return {offer.package: offer.version} if offer else {top: version_of(top)}


def named(target: str) -> str:
    """The package of something, for an error message."""
    module = target.partition(":")[0]
    of_package = ((name, version) for name, version in origin(target).items() if not version.startswith(DIGEST))
    return next((f"{name} {version}" for name, version in of_package), module)


def is_own(target: str) -> bool:
    """Whether a module or package is this plugin's own."""
    return target == OWN or target.startswith(f"{OWN}.")


def broken(kind: str, name: str, target: str, why: str) -> UserError:
    """The error for something of another package that cannot be used."""
    return UserError(f"{kind} {name!r} of {named(target)}: {why}; mend or remove it ({GUIDE})")


def attribute(kind: str, name: str, target: str, attribute: str, module: str | None = None) -> Any:
    """A class or function of a module, which is imported.

    Args:
        kind, name, target: what it is, for an error.
        attribute: its name in the module.
        module: where that is not the target.

    Raises:
        UserError: it is of another package, and that is broken.
    """
    try:
        found = importlib.import_module(module or target)
    except Exception as error:  # of whatever a stranger has written
        if is_own(target):
            raise
        raise broken(kind, name, target, f"cannot be imported ({reason(error)})") from error
    if not callable(getattr(found, attribute, None)):
        raise broken(kind, name, target, f"{found.__name__} has no {attribute}")
    return getattr(found, attribute)


class HubEntry:
    """An upstream's entry on s3prl.hub: calls its target, which is imported at the first call.

    Args:
        name: the entry.
        target: "module:function".
    """

    def __init__(self, name: str, target: str):
        self.__name__ = self.__qualname__ = name
        self.__module__ = __name__
        self.target = target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function()(*args, **kwargs)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function().__doc__

    @property
    def __wrapped__(self) -> Any:  # for inspect.signature
        return self.function()

    def __repr__(self) -> str:
        return f"<upstream {self.__name__} -> {self.target}>"

    def function(self) -> Any:
        """The target, imported.

        Raises:
            UserError: it is of another package, which is broken.
        """
        module, _, function = self.target.partition(":")
        return attribute("upstream", self.__name__, self.target, function, module)
