"""The upstreams, downstreams and corpora of the plugin and of other packages; the first two are made known to s3prl.

An upstream's entry stands on `s3prl.hub` once that is loaded; `s3prl.downstream.<name>` is another name of the
package that holds the downstream, for the same module objects. Neither imports any code of the upstream or downstream
before it is used. What each of them must offer is in
`plugins.interfaces`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from s3prl_plugin import compat, own_upstreams
from s3prl_plugin.compat import hooks, hub
from s3prl_plugin.compat.alias import AliasFinder
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.plugins import FLAG, OWN, offers, plugin_flag
from s3prl_plugin.plugins import origin as origins
from s3prl_plugin.plugins.folders import folders, holds
from s3prl_plugin.plugins.origin import HubEntry

if TYPE_CHECKING:
    from s3prl_plugin.corpora.corpus import Corpus

ONE_WORD = "hf"  # the entry that can be named together with its checkpoint
_DOWNSTREAMS = "s3prl_plugin.downstream"
ABOUT = "about.yaml"  # in the folder of an analysis: what its measures and scores are
_CORPORA = "s3prl_plugin.corpora.formats"
# Stands in for s3prl.downstream.ctc.corpus.
CTC_CORPORA = "s3prl_plugin.superb.ctc_corpora"
_installed = False


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
    hooks.after_import(hub.HUB, _publish_upstreams)
    hooks.after_import("s3prl.downstream.ctc", _supply_ctc_corpora)


def add_upstream(name: str, target: str) -> None:
    """Register an upstream of another package.

    Args:
        name: the entry, as in `-u NAME`.
        target: "package.module:function", see `plugins.interfaces.UpstreamEntry`; imported when it is used.

    Raises:
        UserError: the name is taken, or the target is no "module:function".
    """
    module, _, function = target.partition(":")
    if not (_is_name(name) and module and function.isidentifier()):
        raise UserError(f"upstream {name!r} -> {target!r}: give an identifier and 'package.module:function'")
    _refuse_two_owners("upstream", name, target, _upstreams().get(name) or _stock_upstream(name))
    if hub.HUB in sys.modules:
        _publish(sys.modules[hub.HUB], name, target)
    _upstreams()[name] = target
    plugin_flag.note_added()


def add_downstream(name: str, package: str) -> None:
    """Register a downstream of another package.

    Args:
        name: as in `-d NAME`.
        package: the package whose module `expert` has the class DownstreamExpert, see `plugins.interfaces.Downstream`;
            imported when it is used. With `config.yaml` and `about.yaml` in its folder it is an analysis.

    Raises:
        UserError: the name is taken.
    """
    if not _is_name(name):
        raise UserError(f"downstream {name!r} -> {package!r}: its name must be an identifier")
    _refuse_two_owners("downstream", name, package, _downstreams().get(name) or _stock_downstream(name))
    _downstreams()[name] = package
    plugin_flag.note_added()


def add_corpus(name: str, module: str) -> None:
    """Register a corpus format of another package.

    Args:
        name: as before the colon of `NAME:PATH`.
        module: "package.module" whose function `read` is a `plugins.interfaces.CorpusReader`; imported when it is used.

    Raises:
        UserError: the name is taken.
    """
    if not _is_name(name):
        raise UserError(f"corpus {name!r} -> {module!r}: its name must be an identifier")
    _refuse_two_owners("corpus", name, module, _corpora().get(name))
    _corpora()[name] = module
    plugin_flag.note_added()


def add_name(setting: str, name: str, target: str) -> None:
    """Register a name of another package for a setting that names code; such settings have no other names.

    Args:
        setting: whose it is: "DOWNSTREAM.KEY" ("speech_commands.select"), "optimizer.name" or "scheduler.name".
        name: what the setting says.
        target: "package.module:attribute", a class or function as s3prl's own are; imported when it is first used.

    Raises:
        UserError: there is no such setting, the name is taken, or the target is not of that form.
    """
    from s3prl_plugin.config import setting_names

    module, _, attribute = target.partition(":")
    if not (name.isidentifier() and module and attribute.isidentifier()):
        raise UserError(f"{setting} {name!r} -> {target!r}: give an identifier and 'package.module:attribute'")
    owner = setting.partition(".")[0]
    present = f"s3prl's {owner}" if name in setting_names.known(owner) else setting_names.added(owner, name)
    _refuse_two_owners(setting, name, target, present)
    setting_names.add(setting, name, target)
    plugin_flag.note_added()


def upstream_names() -> list[str]:
    """Every upstream entry, s3prl's and the registered ones, sorted; loads nothing."""
    return sorted({*(name for name, found in hub.names().items() if found.is_entry), *_upstreams()})


def downstream_names() -> list[str]:
    """Every downstream, s3prl's and the registered ones, sorted; loads nothing."""
    stock = [info.name for info in pkgutil.iter_modules(_stock_downstream_folders()) if _stock_downstream(info.name)]
    return sorted({*stock, *_downstreams()})


def upstreams() -> dict[str, str]:
    """The registered entries and their targets."""
    return dict(_upstreams())


def downstreams() -> dict[str, str]:
    """The registered downstreams and their packages."""
    return dict(_downstreams())


def analyses() -> dict[str, str]:
    """Those of them that are analyses: they explain their measures."""
    return {name: package for name, package in _downstreams().items() if holds(package, ABOUT)}


def corpora() -> dict[str, str]:
    """The corpus formats, and the modules that read them."""
    return dict(_corpora())


def is_own(upstream: str) -> bool:
    """Whether an entry is one of the plugin's own upstreams."""
    return origins.is_own(_upstreams().get(upstream, ""))


def is_of_another(upstream: str) -> bool:
    """Whether an entry is of another package than the plugin and s3prl."""
    return upstream in _upstreams() and not is_own(upstream)


def origin(kind: str, name: str) -> dict[str, str]:
    """Which package a name is of, where it is neither this one nor s3prl, for the rows that rest on it.

    Args:
        kind: "upstream", "downstream" or "corpus".
        name: which.

    Returns:
        The package's name -> its version; see `plugins.origin`.
    """
    target = {"upstream": _upstreams, "downstream": _downstreams, "corpus": _corpora}[kind]().get(name)
    return origins.origin(target) if target else {}


def named(upstream: str, checkpoint: str | None) -> tuple[str, str | None]:
    """An entry and its checkpoint: `hf:facebook/hubert-base-ls960` says both in one word.

    Raises:
        UserError: a checkpoint is given beside such a word.
    """
    entry, colon, found = upstream.partition(":")
    if not colon or entry != ONE_WORD:
        return upstream, checkpoint
    if checkpoint is not None:
        raise UserError(f"{upstream} and {checkpoint}: two models for one upstream; leave one out")
    return entry, found


def check_upstream(name: str) -> None:
    """Refuse a name that is no upstream entry; loads nothing but the module of an entry of another package.

    Raises:
        UserError: with the closest names; or with what is wrong with the package.
    """
    names = upstream_names()
    if name not in names:
        raise _unknown("upstream", name, names)
    if is_of_another(name):
        HubEntry(name, _upstreams()[name]).function()


def reader(name: str) -> Callable[..., Corpus]:
    """What reads a corpus format, a `plugins.interfaces.CorpusReader`, imported.

    Args:
        name: one of `corpora()`.

    Raises:
        UserError: the package that offers it is broken.
    """
    return origins.attribute("corpus", name, _corpora()[name], "read")


def expert(name: str) -> Any:
    """The class of a downstream, imported.

    Raises:
        UserError: it is of another package, which is broken.
    """
    package = _downstreams().get(name, f"s3prl.downstream.{name}")
    module = f"{package}.expert"
    if origins.is_own(package) or name not in _downstreams():
        return importlib.import_module(module).DownstreamExpert
    if not holds(package, "expert.py"):
        raise origins.broken("downstream", name, package, "its folder has no expert.py")
    found = origins.attribute("downstream", name, package, "DownstreamExpert", module)
    if name in analyses():
        lacking = [each for each in ("name", "known_measures", "takes_states") if not hasattr(found, each)]
        if lacking:
            why = f"DownstreamExpert has no {lacking[0]}; derive it from s3prl_plugin.analysis.expert.AnalysisExpert"
            raise origins.broken("downstream", name, package, why)
        if found.name != name:
            raise origins.broken(
                "downstream", name, package, f"DownstreamExpert.name is {found.name!r}, and must be {name!r}"
            )
    elif getattr(found, "takes_states", False):
        why = f"an analysis needs {ABOUT} and config.yaml in its folder"
        raise origins.broken("downstream", name, package, why)
    return found


def check_downstream(name: str) -> None:
    """Refuse a name that is no downstream; loads nothing but one of another package.

    Raises:
        UserError: with the closest names; or with what is wrong with the package.
    """
    names = downstream_names()
    if name not in names:
        raise _unknown("downstream", name, names)
    if not origins.is_own(_downstreams().get(name, OWN)):
        expert(name)


def _unknown(kind: str, name: str, names: Iterable[str]) -> UserError:
    """The error for a name that nothing has."""
    if reason := offers.wrong(kind, name):
        return UserError(reason)
    return UserError(
        f"no {kind} is called {name!r}: {did_you_mean(name, names)} (`s3prl-plugin ls {kind}s`; "
        f"{FLAG} adds those of your own)"
    )


def _is_name(name: str) -> bool:
    """Whether something can be called so."""
    return name.isidentifier() and not name.startswith("_")


@cache
def _upstreams() -> dict[str, str]:
    """entry -> "module:function"; read from the descriptions of the upstreams when it is first needed."""
    return _with_offered("upstream", own_upstreams.targets())


@cache
def _downstreams() -> dict[str, str]:
    """name -> the package whose `expert` module has DownstreamExpert: every folder of the plugin's with such a file."""
    experts = (path for folder in folders(_DOWNSTREAMS) for path in folder.glob("*/expert.py"))
    own = {name: f"{_DOWNSTREAMS}.{name}" for name in sorted(path.parent.name for path in experts)}
    return _with_offered("downstream", own)


@cache
def _corpora() -> dict[str, str]:
    """format -> the module whose `read` reads it: every file of the folder."""
    files = (path for folder in folders(_CORPORA) for path in folder.glob("[!_]*.py"))
    return _with_offered("corpus", {name: f"{_CORPORA}.{name}" for name in sorted(path.stem for path in files)})


def _with_offered(kind: str, own: dict[str, str]) -> dict[str, str]:
    """With what other packages offer; a name that is taken stays with its owner."""
    stock = {"upstream": _stock_upstream, "downstream": _stock_downstream}
    for name, offer in offers.offers(kind).items():
        owner = own.get(name) or (stock[kind](name) if kind in stock else None)
        if owner is None:
            own[name] = offer.target
        else:
            offers.refuse(kind, name, f"{offer} wants a name that belongs to {owner}: it must be renamed")
    return own


def _supply_ctc_corpora(ctc: ModuleType) -> None:
    """Put the plugin's readers of PR's and SF's corpora in place of those that s3prl's package lacks."""
    if not any((Path(folder) / "corpus").is_dir() for folder in ctc.__path__):
        sys.meta_path.insert(0, AliasFinder("s3prl.downstream.ctc", lambda: {"corpus": CTC_CORPORA}))


def _publish_upstreams(published: ModuleType) -> None:
    """Set every entry on s3prl.hub."""
    for name, target in _upstreams().items():
        _publish(published, name, target)


def _publish(published: ModuleType, name: str, target: str) -> None:
    """Set one entry on s3prl.hub, unless it belongs to someone else."""
    present = vars(published).get(name)
    owner = present.target if isinstance(present, HubEntry) else getattr(present, "__module__", None)
    _refuse_two_owners("upstream", name, target, owner or (present and repr(present)) or _stock_upstream(name))
    setattr(published, name, HubEntry(name, target))


def _refuse_taken_downstreams(_: ModuleType) -> None:
    """Refuse names that s3prl has, or has got since they were registered."""
    for name, package in _downstreams().items():
        _refuse_two_owners("downstream", name, package, _stock_downstream(name))


def _refuse_two_owners(kind: str, name: str, wanted: str, owner: str | None) -> None:
    """A name has one owner; the same one may come twice."""
    if owner is not None and owner != wanted:
        raise UserError(f"{kind} {name!r} belongs to {owner}, and {wanted} wants the same name: rename one of them")


def _stock_upstream(name: str) -> str | None:
    """The module from which s3prl's hub has a name, or None."""
    found = hub.names().get(name)
    return found.home if found else None


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
