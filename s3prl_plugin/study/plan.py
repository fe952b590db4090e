"""What a study asks for, read from the section `study` of a configuration and written out in full.

study:
  upstreams:             # the name of a folder -> what is loaded
    mono_base: {upstream: mr_hubert_base}
    grown: {upstream: mr_hubert_local, checkpoints: runs/*/checkpoint_*.pt}  # one for every file
  each_also:             # every one of them once more, with these options
    decimated: {pool_to: "decimate:40"}
    random: {random_weights: true}
  analyses_only: [decimated]   # variations or upstreams that no task is run on
  seeds: [1337, 1338]    # of the tasks' heads; analyses are run once, with the first
  only: [mono_base]      # of all these, now; the others another time, or on another machine
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from s3prl_plugin import own_upstreams, registry
from s3prl_plugin.config import Config
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.study.checkpoints import named_checkpoints

KEYS = ("upstreams", "each_also", "analyses_only", "seeds", "only")
ENTRY_KEYS = ("upstream", "checkpoint", "checkpoints", "options", "also")
TAKEN = frozenset({"data"})  # the folder of the corpora that tasks share

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class StudyUpstream:
    """One upstream of a study.

    Attributes:
        name: of its folder.
        entry: as in `-u`.
        checkpoint: as in `-k`.
        options: what a file given by `-g` would hold.
        tasks: whether tasks are run on it, or analyses only.
    """

    name: str
    entry: str
    checkpoint: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    tasks: bool = True


@dataclass(frozen=True, slots=True)
class Study:
    """A study.

    Attributes:
        all: every upstream that it names, in order: those given, then each variation of all of them.
        upstreams: those that are to be run now.
        seeds: of the tasks' heads, the first also of the analyses; empty: the one of `--seed`.
    """

    all: tuple[StudyUpstream, ...]
    upstreams: tuple[StudyUpstream, ...]
    seeds: tuple[int, ...]


def read(config: Config) -> Study:
    """The study that a configuration describes, checked as far as that costs nothing.

    Args:
        config: with a section `study`.

    Raises:
        UserError: with file, line and what may have been meant.
    """
    config.refuse_unknown(KEYS, "study")
    given = config.section("study", "upstreams")
    if not given:
        raise config.error(("study",), "a study needs `upstreams`: the name of a folder -> {upstream: NAME}")
    each_also = config.section("study", "each_also")
    for name, options in each_also.items():
        _check_name(config, ("study", "each_also", name), name)
        _options(config, ("study", "each_also", name), options)
    first: list[StudyUpstream] = []
    varied: dict[str, list[StudyUpstream]] = {}
    for name in given:
        _check_name(config, ("study", "upstreams", str(name)), name)
        for upstream in _entries(config, name):
            first.append(upstream)
            for variation, changed in _varied(config, name, upstream, each_also).items():
                varied.setdefault(variation, []).append(changed)
    found = [*first, *(upstream for upstreams in varied.values() for upstream in upstreams)]
    _refuse_two_of_a_name(config, found)
    names = [upstream.name for upstream in found]
    spared = _names(config, "analyses_only", [*varied, *names])
    spared += [upstream.name for variation in varied if variation in spared for upstream in varied[variation]]
    found = [replace(upstream, tasks=upstream.name not in spared) for upstream in found]
    wanted = _names(config, "only", names) or names
    return Study(tuple(found), tuple(u for u in found if u.name in wanted), _seeds(config))


def _entries(config: Config, name: str) -> list[StudyUpstream]:
    """What one entry of `upstreams` stands for: itself, or one upstream for every checkpoint that it matches."""
    place = ("study", "upstreams", name)
    config.refuse_unknown(ENTRY_KEYS, *place)
    said = config.section(*place)
    entry = said.get("upstream")
    if not isinstance(entry, str):
        raise config.error(place, f"{'.'.join(place)} needs `upstream`, an entry as in -u")
    options = _options(config, (*place, "options"), said.get("options"))
    with_place = _at(config, place)
    entry, one_word = with_place(registry.named, entry, said.get("checkpoint") or said.get("checkpoints"))
    said = {**said, "checkpoint": one_word} if entry != said["upstream"] else said
    with_place(registry.check_upstream, entry)
    with_place(_check_options, entry, options)
    for key in ("checkpoint", "checkpoints"):
        if said.get(key) is not None and not isinstance(said[key], str):
            raise config.error((*place, key), f"{'.'.join(place)}.{key} must be a path, not {said[key]!r}")
    if said.get("checkpoint") and said.get("checkpoints"):
        raise config.error((*place, "checkpoint"), f"{'.'.join(place)}: give `checkpoint` or `checkpoints`, not both")
    if said.get("checkpoints"):
        found = _at(config, (*place, "checkpoints"))(named_checkpoints, said["checkpoints"])
        from s3prl_plugin.states import upstream_files

        _at(config, (*place, "checkpoints"))(upstream_files.check, entry, str(next(iter(found.values()))))
        return [StudyUpstream(f"{name}_{suffix}", entry, str(path), options) for suffix, path in found.items()]
    checkpoint = said.get("checkpoint")
    if checkpoint is None and entry.endswith(("_local", "_url", "_custom")):
        raise config.error(place, f"{'.'.join(place)}: {entry} needs a `checkpoint`, or a pattern of `checkpoints`")
    from s3prl_plugin.states import upstream_files

    _at(config, (*place, "checkpoint"))(upstream_files.check, entry, checkpoint)
    return [StudyUpstream(name, entry, checkpoint, options)]


def _varied(
    config: Config, name: str, upstream: StudyUpstream, each_also: Mapping[str, Any]
) -> dict[str, StudyUpstream]:
    """The variations of one upstream: those of all, as far as its own `also` does not say otherwise."""
    place = ("study", "upstreams", name, "also")
    own = config.section(*place)
    found = {}
    for variation, options in {**each_also, **own}.items():
        where = (*place, variation) if variation in own else ("study", "each_also", variation)
        _check_name(config, where, variation)
        if options is None and variation in own:
            continue  # not this one
        changed = {**upstream.options, **_options(config, where, options)}
        if changed == upstream.options:
            raise config.error(
                where,
                f"{'.'.join(where)} changes nothing of {upstream.name}; `also: {{{variation}: null}}` in "
                f"study.upstreams.{name} leaves it out",
            )
        try:
            _check_options(upstream.entry, changed)
        except UserError as error:
            raise config.error(where, f"{'.'.join(where)} of {upstream.name}: {error}") from None
        found[variation] = replace(upstream, name=f"{upstream.name}_{variation}", options=changed)
    return found


def _check_options(entry: str, options: Mapping[str, Any]) -> None:
    """Refuse options that the upstream could not have."""
    from s3prl_plugin.states import foreign

    own_upstreams.check_options(entry, options)
    foreign.asked_of(entry, options)


def _options(config: Config, place: tuple[str, ...], options: Any) -> dict[str, Any]:
    """Options, which are a mapping."""
    if options is None and place[1] == "upstreams":
        return {}
    if not isinstance(options, dict) or (not options and place[1] == "each_also"):
        raise config.error(place, f"{'.'.join(place)} must hold options, such as {{random_weights: true}}")
    return options


def _check_name(config: Config, place: tuple[str, ...], name: Any) -> None:
    """Names become folders."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in TAKEN:
        raise config.error(
            (*place[:-1], str(name)),
            f"{name!r} cannot be a folder of a study; write letters, digits, `_`, `-` and `.`, and not `data`",
        )


def _names(config: Config, key: str, known: Iterable[str]) -> list[str]:
    """A list of names, each known."""
    found = config.section("study").get(key)
    if found is None:
        return []
    known = list(known)
    if not isinstance(found, list):
        raise config.error(("study", key), f"study.{key} must be a list of names, not {found!r}")
    for name in found:
        if name not in known:
            raise config.error(
                ("study", key),
                f"study.{key}: no upstream of this study is called {name!r}: {did_you_mean(str(name), known)}",
            )
    return list(found)


def _seeds(config: Config) -> tuple[int, ...]:
    """The seeds, whole numbers that differ."""
    found = config.section("study").get("seeds")
    if found is None:
        return ()
    whole = isinstance(found, list) and found and all(type(seed) is int and 0 <= seed < 2**32 for seed in found)
    if not whole or len(set(found)) < len(found):
        raise config.error(
            ("study", "seeds"), f"study.seeds must be a list of different whole numbers from 0 on, not {found!r}"
        )
    return tuple(found)


def _refuse_two_of_a_name(config: Config, upstreams: Iterable[StudyUpstream]) -> None:
    """Every upstream has a folder of its own."""
    seen: set[str] = set()
    for upstream in upstreams:
        if upstream.name in seen:
            raise config.error(
                ("study", "upstreams"), f"study.upstreams: two upstreams are called {upstream.name}; rename one"
            )
        seen.add(upstream.name)


def _at(config: Config, place: tuple[str, ...]) -> Any:
    """A caller of functions whose errors then name file and line."""

    def call(function: Any, *args: Any) -> Any:
        try:
            return function(*args)
        except UserError as error:
            raise config.error(place, f"{'.'.join(place)}: {error}") from None

    return call
