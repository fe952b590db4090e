"""The plugin's upstreams and downstreams, made known to s3prl.

An upstream's entry stands on `s3prl.hub` once that is loaded; `s3prl.downstream.<name>` is another name of the
package that holds the downstream, for the same module objects. Neither imports any code of the upstream or downstream
before it is used.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

from s3prl_plugin import compat, setting_names
from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.alias import AliasFinder
from s3prl_plugin.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from s3prl_plugin.states.taps import Tap

_UPSTREAMS = "s3prl_plugin.upstream"
# name -> the package whose `expert` module has DownstreamExpert
_downstreams: dict[str, str] = {
    "cca": "s3prl_plugin.downstream.cca",
    "mi": "s3prl_plugin.downstream.mi",
    "cka": "s3prl_plugin.downstream.cka",
    "rank": "s3prl_plugin.downstream.rank",
    "rate": "s3prl_plugin.downstream.rate",
    "suite": "s3prl_plugin.downstream.suite",
}
# Stands in for s3prl.downstream.ctc.corpus.
CTC_CORPORA = "s3prl_plugin.superb.ctc_corpora"
_installed = False


class UpstreamPackage(Protocol):
    """What `upstream/<name>/entries.py` offers without a network; the entries are functions in hubconf.py beside it."""

    def names(self) -> Iterable[str]:
        """The entries."""

    def entries(self, in_full: bool = False) -> dict[str, dict[str, Any]]:
        """Each entry, with what `ls upstreams` shows of it: at least what it isolates."""

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise a UserError for an option that no entry has."""

    def entry_for(self, checkpoint: Path) -> str | None:
        """The entry that reads a checkpoint; None where it is of another kind."""

    def train_step(self, checkpoint: Path) -> int | None:
        """The training step that a checkpoint of this kind says."""

    def taps(self, entry: str, checkpoint: str | None, model_config: str | None) -> tuple[Tap, ...] | None:
        """The taps of an entry, where they are known without its network."""


def install() -> None:
    """Install the shims and make every registered name known to s3prl, now or when it is loaded.

    Raises:
        UserError: s3prl already has one of the names.
    """
    global _installed
    if _installed:
        return
    compat.install()
    sys.meta_path.insert(0, AliasFinder("s3prl.downstream", _downstreams))
    _installed = True
    hooks.after_import("s3prl.downstream", _refuse_taken_downstreams)
    hooks.after_import("s3prl.hub", _publish_upstreams)
    hooks.after_import("s3prl.downstream.ctc", _supply_ctc_corpora)


def add_upstream(name: str, target: str) -> None:
    """Register an upstream of another package.

    Args:
        name: the entry, as in `-u NAME`.
        target: "package.module:function"; the function takes what s3prl's entries take (ckpt, model_config, refresh,
            ...) and returns the upstream. It is imported when the entry is first called.

    Raises:
        UserError: the name is taken, or the target is no "module:function".
    """
    module, _, function = target.partition(":")
    if not (name.isidentifier() and not name.startswith("_") and module and function.isidentifier()):
        raise UserError(f"upstream {name!r} -> {target!r}: give an identifier and 'package.module:function'")
    _refuse_two_owners("upstream", name, target, _upstreams().get(name))
    hub = sys.modules.get("s3prl.hub")
    if hub is not None:
        _publish(hub, name, target)
    _upstreams()[name] = target


def add_downstream(name: str, package: str) -> None:
    """Register a downstream of another package.

    Args:
        name: as in `-d NAME`.
        package: the package whose module `expert` has the class DownstreamExpert; imported when first used.

    Raises:
        UserError: the name is taken.
    """
    if not name.isidentifier() or name.startswith("_"):
        raise UserError(f"downstream {name!r} -> {package!r}: its name must be an identifier")
    _refuse_two_owners("downstream", name, package, _downstreams.get(name) or _stock_downstream(name))
    _downstreams[name] = package


def add_name(setting: str, name: str, target: str) -> None:
    """Register a name of another package for a setting that names code; such settings have no other names.

    Args:
        setting: whose it is: "DOWNSTREAM.KEY" ("speech_commands.select"), "optimizer.name" or "scheduler.name".
        name: what the setting says.
        target: "package.module:attribute", a class or function as s3prl's own are; imported when it is first used.

    Raises:
        UserError: there is no such setting, the name is taken, or the target is not of that form.
    """
    module, _, attribute = target.partition(":")
    if not (name.isidentifier() and module and attribute.isidentifier()):
        raise UserError(f"{setting} {name!r} -> {target!r}: give an identifier and 'package.module:attribute'")
    owner = setting.partition(".")[0]
    present = f"s3prl's {owner}" if name in setting_names.known(owner) else setting_names.added(owner, name)
    _refuse_two_owners(setting, name, target, present)
    setting_names.add(setting, name, target)


def upstream_names() -> list[str]:
    """Every upstream entry, s3prl's and the registered ones, sorted; loads s3prl.hub (seconds)."""
    hub = importlib.import_module("s3prl.hub")
    return sorted(set(hub.options()) | set(_upstreams()))


def downstream_names() -> list[str]:
    """Every downstream, s3prl's and the registered ones, sorted; loads nothing."""
    stock = [info.name for info in pkgutil.iter_modules(_stock_downstream_folders()) if _stock_downstream(info.name)]
    return sorted({*stock, *_downstreams})


def upstreams() -> dict[str, str]:
    """The registered entries and their targets."""
    return dict(_upstreams())


def downstreams() -> dict[str, str]:
    """The registered downstreams and their packages."""
    return dict(_downstreams)


def check_upstream(name: str) -> None:
    """Refuse a name that is no upstream entry; loads s3prl.hub.

    Raises:
        UserError: with the closest names.
    """
    names = upstream_names()
    if name not in names:
        raise UserError(f"no upstream is called {name!r}: {did_you_mean(name, names)} (`s3prl-plugin ls upstreams`)")


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that one of the plugin's own upstreams does not have; loads no network.

    Args:
        name: the entry; of another's nothing is known, and nothing refused.
        options: name -> value.

    Raises:
        UserError: with the closest names, or the values that are possible.
    """
    package = _package_of(name)
    if package is not None:
        package.check_options(options)


def train_step(checkpoint: Path) -> int | None:
    """The training step of a checkpoint that one of the plugin's own upstreams reads; None where it says none.

    Raises:
        UserError: it is damaged.
    """
    owner = next((package for package in packages().values() if package.entry_for(checkpoint)), None)
    return owner.train_step(checkpoint) if owner else None


def entry_for(checkpoint: Path) -> str | None:
    """The entry that reads a checkpoint, where its content tells; None for any other kind of file.

    Args:
        checkpoint: a file, or a folder as transformers writes it.
    """
    from s3prl_plugin.compat import transformers

    if checkpoint.is_dir():
        known = transformers.entry_for(checkpoint)
        if known is not None:
            return known
    return next(filter(None, (package.entry_for(checkpoint) for package in packages().values())), None)


def taps(name: str, checkpoint: str | None, model_config: str | None) -> tuple[Tap, ...] | None:
    """The taps of an entry where they are known without its network; else None.

    Raises:
        UserError: the checkpoint or the options cannot be read.
    """
    package = _package_of(name)
    return package.taps(name, checkpoint, model_config) if package else None


def pretrainable() -> list[str]:
    """The upstreams that can be pre-trained here, sorted; loads none of them."""
    experts = (path for folder in folders(_UPSTREAMS) for path in folder.glob("*/pretrain/expert.py"))
    return sorted(path.parents[1].name for path in experts)


def pretrain_expert(name: str) -> ModuleType:
    """The module of an upstream that has its `UpstreamPretrainExpert`.

    Args:
        name: one of `pretrainable()`.
    """
    return importlib.import_module(f"{_UPSTREAMS}.{name}.pretrain.expert")


def check_downstream(name: str) -> None:
    """Refuse a name that is no downstream; loads nothing.

    Raises:
        UserError: with the closest names.
    """
    names = downstream_names()
    if name not in names:
        raise UserError(
            f"no downstream is called {name!r}: {did_you_mean(name, names)} (`s3prl-plugin ls downstreams`)"
        )


@cache
def packages() -> dict[str, UpstreamPackage]:
    """The plugin's own upstreams: name of the folder -> its module `entries`. None of their networks is imported."""
    names = sorted(path.parent.name for folder in folders(_UPSTREAMS) for path in folder.glob("*/entries.py"))
    return {name: cast(UpstreamPackage, importlib.import_module(f"{_UPSTREAMS}.{name}.entries")) for name in names}


def _package_of(entry: str) -> UpstreamPackage | None:
    """Which of the plugin's own upstreams an entry is of."""
    target = _upstreams().get(entry, "")
    owned = (package for name, package in packages().items() if target.startswith(f"{_UPSTREAMS}.{name}.hubconf:"))
    return next(owned, None)


@cache
def _upstreams() -> dict[str, str]:
    """entry -> "module:function"; read from the descriptions of the upstreams when it is first needed."""
    return {
        entry: f"{_UPSTREAMS}.{name}.hubconf:{entry}"
        for name, package in packages().items()
        for entry in package.names()
    }


def folders(package: str) -> list[Path]:
    """Where a package lies; it is not imported."""
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]


def _supply_ctc_corpora(ctc: ModuleType) -> None:
    """Put the plugin's readers of PR's and SF's corpora in the place of those that s3prl's package lacks."""
    if not any((Path(folder) / "corpus").is_dir() for folder in ctc.__path__):
        sys.meta_path.insert(0, AliasFinder("s3prl.downstream.ctc", {"corpus": CTC_CORPORA}))


class Entry:
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
        return self._function()(*args, **kwargs)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._function().__doc__

    @property
    def __wrapped__(self) -> Any:  # for inspect.signature
        return self._function()

    def __repr__(self) -> str:
        return f"<upstream {self.__name__} -> {self.target}>"

    def _function(self) -> Any:
        module, _, function = self.target.partition(":")
        return getattr(importlib.import_module(module), function)


def _publish_upstreams(hub: ModuleType) -> None:
    """Set every entry on s3prl.hub."""
    for name, target in _upstreams().items():
        _publish(hub, name, target)


def _publish(hub: ModuleType, name: str, target: str) -> None:
    """Set one entry on s3prl.hub, unless it belongs to someone else."""
    present = vars(hub).get(name)
    owner = present.target if isinstance(present, Entry) else getattr(present, "__module__", None)
    _refuse_two_owners("upstream", name, target, owner or (present and repr(present)))
    setattr(hub, name, Entry(name, target))


def _refuse_taken_downstreams(_: ModuleType) -> None:
    """Refuse names that s3prl has, or has got since they were registered."""
    for name, package in _downstreams.items():
        _refuse_two_owners("downstream", name, package, _stock_downstream(name))


def _refuse_two_owners(kind: str, name: str, wanted: str, owner: str | None) -> None:
    """A name has one owner; the same one may come twice."""
    if owner is not None and owner != wanted:
        raise UserError(f"{kind} {name!r} belongs to {owner}, and {wanted} wants the same name: rename one of them")


def _stock_downstream_folders() -> list[str]:
    """Where s3prl's own downstreams lie; found without importing s3prl."""
    spec = importlib.util.find_spec("s3prl")
    return [str(Path(folder) / "downstream") for folder in (spec and spec.submodule_search_locations) or ()]


def _stock_downstream(name: str) -> str | None:
    """The folder of s3prl's own downstream of that name, or None."""
    for folder in _stock_downstream_folders():
        if (Path(folder) / name / "expert.py").is_file():
            return str(Path(folder) / name)
    return None
