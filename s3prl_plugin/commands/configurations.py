"""What a configuration may hold: the JSON schema of every kind of file, and the same as a page of the documentation."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from s3prl_plugin import config, registry, superb
from s3prl_plugin.analysis.defaults import COMMON, analysis_defaults, explained
from s3prl_plugin.config import schema, setting_names
from s3prl_plugin.errors import UserError, did_you_mean

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
OF_S3PRL = {"type": "object", "description": "as s3prl's own file for this downstream has it"}
RUN = dict.fromkeys(("runner", "optimizer", "scheduler", "specaug"), OF_S3PRL)
BEGINNING = """# What configurations may hold

Every option of every kind of file, with what it may be and its default; keys and values that are not here are refused
with file and line. `s3prl-plugin ls options cca --json` (or another of the headings) prints the JSON schema, which
editors take: `# yaml-language-server: $schema=FILE` in the first line of a file. This page is what
`s3prl-plugin ls options --markdown` prints.
"""
NAMES = """## Names in s3prl's settings

Settings of s3prl's that name its code, in a file for `-c` and in a task's `override`: those of optimizers
and schedulers, and of each downstream those anywhere below `downstream_expert`.

| setting | its names |
|---|---|"""


def known() -> list[str]:
    """The kinds of files, by what `ls options` calls them."""
    return [*sorted(registry.analyses().keys() - {"suite"}), *_KINDS]


def describe(name: str) -> Schema:
    """The JSON schema of a kind of file.

    Raises:
        UserError: there is none of that name.
    """
    if name not in known():
        raise UserError(f"ls options {name}: no file is called so; {did_you_mean(name, known())}")
    found = _KINDS[name][1]() if name in _KINDS else _object({**RUN, "downstream_expert": analysis(name)})
    return {"$schema": DRAFT, "title": _title(name), **found}


def rows(names: list[str]) -> list[dict[str, Any]]:
    """A row per option of some kinds of files."""
    return [
        {"file": name, "option": ".".join(key), "may be": schema.possible(said), "default": _default(said)}
        for name in names
        for key, said in _options(describe(name))
    ]


def page() -> str:
    """docs/configurations.md."""
    common = {key: said for key, said in analysis("rank")["properties"].items() if key in COMMON}
    parts = [BEGINNING, _section("Every analysis", "Under `downstream_expert`, or once for all under `suite`.", common)]
    for name in known():
        found = {".".join(key): said for key, said in _options(describe(name))}
        if name not in _KINDS:
            options = {key.removeprefix("downstream_expert."): said for key, said in found.items()}
            found = {key: said for key, said in options.items() if key == "measures" or key not in COMMON}
        parts.append(_section(f"`{name}`", _title(name) + ".", found))
    names = [f"| `{key}` | {schema.possible(said)} |" for key, said in _named().items()]
    return "\n".join([*parts, NAMES, *names]) + "\n"


def analysis(name: str) -> Schema:
    """The schema of an analysis' options: what they may be, their defaults, and the comments of its config.yaml."""
    types: dict[str, Any] = getattr(registry.expert(name), "types", dict)()
    said = explained(name)
    options = {
        key: {**(schema.schema(types[key]) if key in types else {}), "default": default, "description": said[key]}
        for key, default in analysis_defaults(name).items()
    }
    return _object(options)


def _suite() -> Schema:
    from s3prl_plugin.store.options import Options as StoreOptions
    from s3prl_plugin.study.plan import EntryOptions, StudyOptions

    analyses = {name: analysis(name) for name in sorted(registry.analyses().keys() - {"suite"})}
    shared: dict[str, Schema] = {}
    for found in analyses.values():
        for key, said in found["properties"].items():
            plain = {part: value for part, value in said.items() if part not in ("default", "description")}
            shared[key] = plain if shared.get(key, plain) == plain else {}
    of_suite = {
        "analyses": _object({name: _or_null(each) for name, each in analyses.items()}),
        "tasks": _object({name: _or_null(_task(task)) for name, task in superb.tasks().items()}),
        "store": {"anyOf": [{"type": "boolean"}, {"type": "null"}, schema.json_schema(StoreOptions)]},
    }
    study = schema.json_schema(StudyOptions)
    study["properties"]["upstreams"] |= {"additionalProperties": schema.json_schema(EntryOptions)}
    return _object({**RUN, "suite": _object({**shared, **of_suite}), "study": study})


def _task(task: superb.Task) -> Schema:
    """What a suite may say of a task, with the settings of its own file as defaults."""
    found = schema.json_schema(superb.suite.TaskOptions)
    settings = config.read(config.packaged("configs", "superb", task.config)).data
    override = {key: _setting(task.downstream, (key,), value) for key, value in settings.items()}
    found["properties"]["override"]["anyOf"][0] |= {"properties": override}
    return found


def _setting(downstream: str, keys: tuple[str, ...], value: Any) -> Schema:
    """A setting of one of s3prl's tasks, or the section that holds some."""
    if isinstance(value, Mapping):
        inside = {key: _setting(downstream, (*keys, key), held) for key, held in value.items()}
        return {"type": "object", "properties": inside}
    names = setting_names.possible(downstream, *keys)
    return {**(schema.schema(names) if names else {}), "default": value}


def _named() -> dict[str, Schema]:
    """The settings of s3prl's that name code, wherever they stand."""
    above = ("optimizer.name", "scheduler.name")
    found = {key: setting_names.possible("", *key.split(".")) for key in above}
    for downstream, keys in setting_names.SETTINGS.items():
        for key in keys:
            found[f"{downstream}: {key}"] = setting_names.possible(downstream, "downstream_expert", key)
    return {key: schema.schema(names) for key, names in found.items()}


def _pretraining(*own: tuple[str, type[schema.ConfigSection]], settings: bool = True) -> Schema:
    from s3prl_plugin.pretraining.data import settings as run
    from s3prl_plugin.pretraining.data.datarc import DataOptions
    from s3prl_plugin.pretraining.data.units.request import Request
    from s3prl_plugin.pretraining.loop.cells.plan import CellOptions

    sections: dict[str, type[schema.ConfigSection]] = {"runner": run.RunnerSettings, "units": Request, **dict(own)}
    if settings:
        sections |= {"optimizer": run.OptimizerSettings, "scheduler": run.SchedulerSettings}
    found = {key: schema.json_schema(kind) for key, kind in sections.items()}
    data = _object({"datarc": schema.json_schema(DataOptions)})
    return _object({**found, "pretrain_expert": data, **schema.json_schema(CellOptions)["properties"]})


def _pretrain_mr_hubert() -> Schema:
    from s3prl_plugin.upstream.mr_hubert.checkpoint.fairseq_config import Model
    from s3prl_plugin.upstream.mr_hubert.pretrain.options import Objective
    from s3prl_plugin.upstream.mr_hubert.pretrain.stages import Stages
    from s3prl_plugin.upstream.mr_hubert.pretrain.start import Initial

    return _pretraining(("model", Model), ("objective", Objective), ("initial", Initial), ("stages", Stages))


def _pretrain_hqa() -> Schema:
    from s3prl_plugin.upstream.hqa.pretrain.options import ModelOptions, TrainingOptions

    return _pretraining(("model", ModelOptions), ("training", TrainingOptions), settings=False)


def _upstream(module: str, kind: str = "Options") -> Callable[[], Schema]:
    return lambda: schema.json_schema(getattr(importlib.import_module(f"s3prl_plugin.{module}"), kind))


_KINDS: Mapping[str, tuple[str, Callable[[], Schema]]] = {
    "suite": ("A file for `run -d suite -c FILE`, with a section `study` for several upstreams", _suite),
    "mr_hubert": ("A file for `-g` with an MR-HuBERT entry", _upstream("upstream.mr_hubert.options")),
    "hf": ("A file for `-g` with `-u hf`", _upstream("upstream.hf.options")),
    "hqa": ("A file for `-g` with an HQA entry", _upstream("upstream.hqa.options")),
    "any_upstream": ("A file for `-g` with any other upstream", _upstream("states.foreign", "ForeignOptions")),
    "pretrain_mr_hubert": ("A file for `pretrain -u mr_hubert -g FILE`", _pretrain_mr_hubert),
    "pretrain_hqa": ("A file for `pretrain -u hqa -g FILE`", _pretrain_hqa),
}


def _title(name: str) -> str:
    return _KINDS[name][0] if name in _KINDS else f"A file for `run -d {name} -c FILE`, under `downstream_expert`"


def _object(properties: Mapping[str, Any]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _or_null(found: Schema) -> Schema:
    return {"anyOf": [found, {"type": "null"}]}


def _options(found: Schema, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Every option below a schema with its key; of a suite without those that the analyses have."""
    for name, said in found.get("properties", {}).items():
        if key == ("suite",) and name not in ("analyses", "tasks", "store"):
            continue
        place, inside = (*key, name), said
        for each in said.get("anyOf", ()):
            inside = each if each.get("properties") and "default" not in said else inside
        if key == ("suite", "tasks"):
            yield from _options(inside, (*key, "TASK")) if name == "PR" else ()  # all have the same
        elif key == ("suite", "analyses"):
            yield place, {"type": "object", "description": f"its options, as `{name}` has them"}
        elif inside.get("properties"):
            yield from _options(inside, place)
        elif said is not OF_S3PRL:
            yield place, said
        more = said.get("additionalProperties")
        if isinstance(more, dict):
            yield from _options(more, (*place, "NAME"))


def _section(title: str, what: str, options: Mapping[str, Schema]) -> str:
    """A heading and a table."""
    lines = [f"## {title}\n", f"{what}\n", "| option | what it may be | default | what it means |", "|---|---|---|---|"]
    for key, said in options.items():
        cells = (f"`{key}`", schema.possible(said), f"`{_default(said)}`", str(said.get("description", "")))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |".replace("| `` |", "| |"))
    return "\n".join(lines) + "\n"


def _default(said: Schema) -> str:
    """A default as YAML has it."""
    import yaml

    if "default" not in said:
        return ""
    value = list(said["default"]) if isinstance(said["default"], tuple) else said["default"]
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")
