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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from s3prl_plugin import registry
from s3prl_plugin.config import Config, schema
from s3prl_plugin.config.schema import ConfigSection, Seeds, Text
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.study.checkpoints import named_checkpoints

TAKEN = frozenset({"data"})  # the folder of the corpora that tasks share

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOptions(ConfigSection):
    """The section `study`.

    Attributes:
        upstreams: the name of a folder -> what is loaded, see `EntryOptions`.
        each_also: the name of a variation -> options with which every upstream is run once more.
        analyses_only: variations or upstreams that no task is run on.
        seeds: of the tasks' heads; analyses are run once, with the first.
        only: of all upstreams, those that are to be run now.
    """

    upstreams: Mapping[str, Any] | None = None
    each_also: Mapping[str, Any] | None = None
    analyses_only: Sequence[str] | None = None
    seeds: Seeds | None = None
    only: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOptions(ConfigSection):
    """An entry of `study.upstreams`.

    Attributes:
        upstream: the entry, as in `-u`.
        checkpoint: as in `-k`.
        checkpoints: a pattern of files, each of which is an upstream of its own.
        options: what a file given by `-g` would hold.
        also: variations of this one: options, or null for one of `each_also` that it leaves out.
    """

    upstream: Text
    checkpoint: str | None = None
    checkpoints: str | None = None
    options: Mapping[str, Any] | None = None
    also: Mapping[str, Any] | None = None

    def check_together(self) -> None:
        """Refuse one file and a pattern of several."""
        if self.checkpoint and self.checkpoints:
            raise UserError("checkpoint: give `checkpoint` or `checkpoints`, not both")


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
    said = schema.read(config, ("study",), StudyOptions)
    given = said.upstreams
    if not given:
        raise config.error(("study",), "a study needs `upstreams`: the name of a folder -> {upstream: NAME}")
    each_also = said.each_also or {}
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
    spared = _known(config, "analyses_only", said.analyses_only or (), [*varied, *names])
    spared += [upstream.name for variation in varied if variation in spared for upstream in varied[variation]]
    found = [replace(upstream, tasks=upstream.name not in spared) for upstream in found]
    wanted = _known(config, "only", said.only or (), names) or names
    return Study(tuple(found), tuple(u for u in found if u.name in wanted), tuple(said.seeds or ()))


def _entries(config: Config, name: str) -> list[StudyUpstream]:
    """What one entry of `upstreams` stands for: itself, or one upstream for every checkpoint that it matches."""
    place = ("study", "upstreams", name)
    said = schema.read(config, place, EntryOptions)
    options = dict(said.options or {})
    from s3prl_plugin.states import foreign, upstream_files

    with_place = _at(config, place)
    entry, one_word = with_place(registry.named, said.upstream, said.checkpoint or said.checkpoints)
    checkpoint = said.checkpoint if entry == said.upstream else one_word
    with_place(registry.check_upstream, entry)
    _at(config, (*place, "options"))(foreign.check_options, entry, options)
    if said.checkpoints:
        with_place = _at(config, (*place, "checkpoints"))
        found = with_place(named_checkpoints, said.checkpoints)
        with_place(upstream_files.check, entry, str(next(iter(found.values()))))
        return [StudyUpstream(f"{name}_{suffix}", entry, str(path), options) for suffix, path in found.items()]
    if checkpoint is None and entry.endswith(("_local", "_url", "_custom")):
        raise config.error(place, f"{'.'.join(place)}: {entry} needs a `checkpoint`, or a pattern of `checkpoints`")
    _at(config, (*place, "checkpoint"))(upstream_files.check, entry, checkpoint)
    return [StudyUpstream(name, entry, checkpoint, options)]


def _varied(
    config: Config, name: str, upstream: StudyUpstream, each_also: Mapping[str, Any]
) -> dict[str, StudyUpstream]:
    """The variations of one upstream: those of all, as far as its own `also` does not say otherwise."""
    place = ("study", "upstreams", name, "also")
    own = config.section(*place)
    from s3prl_plugin.states import foreign

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
            foreign.check_options(upstream.entry, changed)
        except UserError as error:
            raise schema.placed(config, where, f"{'.'.join(where)} of {upstream.name}: {error}") from None
        found[variation] = replace(upstream, name=f"{upstream.name}_{variation}", options=changed)
    return found


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


def _known(config: Config, key: str, found: Sequence[str], known: Sequence[str]) -> list[str]:
    """Names, each known."""
    for name in found:
        if name not in known:
            raise config.error(
                ("study", key),
                f"study.{key}: no upstream of this study is called {name!r}: {did_you_mean(name, known)}",
            )
    return list(found)


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
            raise schema.placed(config, place, f"{'.'.join(place)}: {error}") from None

    return call
