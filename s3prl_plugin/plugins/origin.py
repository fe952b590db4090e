"""Which package something is of, and what is imported of it when it is used."""

from __future__ import annotations

import importlib
from typing import Any

from s3prl_plugin.errors import UserError, reason
from s3prl_plugin.plugins import GUIDE, OWN, offers, plugin_flag
from s3prl_plugin.plugins.versions import DIGEST, version_of


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
