"""`s3prl-plugin ls`: what there is: upstreams, downstreams, measures, the taps of a model, a corpus."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin.config import remote_code
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.plugins.folders import folders as folders_of
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import written_stride

if TYPE_CHECKING:
    from s3prl_plugin.analysis.about import Measure, Score

HELP = "list upstreams, downstreams, measures, options of configurations, the taps of a model, a corpus"
EXAMPLES = """examples:
  s3prl-plugin ls upstreams
  s3prl-plugin ls measures
  s3prl-plugin ls measures mi_word
  s3prl-plugin ls measures probe
  s3prl-plugin ls options
  s3prl-plugin ls options suite --json > suite.schema.json
  s3prl-plugin ls taps mr_hubert_b2_a
  s3prl-plugin ls taps mr_hubert_local -k checkpoint.pt
  s3prl-plugin ls corpus timit:/data/timit
  s3prl-plugin ls corpus timit:/data/timit --dim 1024
  s3prl-plugin ls corpus recordings --write-manifest --speaker '^([^_]+)_'
"""
MOST_DIMENSIONS = 100_000  # of a layer
NEEDS_NAME = {"taps": "mr_hubert_base", "corpus": "manifest:FOLDER"}

Rows = list[dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `ls` takes."""
    parser.add_argument("what", choices=(*LISTS, "corpus"), help="what to list")
    parser.add_argument(
        "name",
        nargs="?",
        help="the upstream (taps), the corpus, one of the measures or their downstream, or a kind of file (options)",
    )
    parser.add_argument("-k", "--checkpoint", metavar="CKPT", help="the upstream's checkpoint, where it needs one")
    remote_code.add_flag(parser)
    parser.add_argument("-g", "--model-config", metavar="YAML", help="options of the upstream")
    parser.add_argument("--all", action="store_true", help="upstreams: those of s3prl too")
    parser.add_argument(
        "--write-manifest", action="store_true", help="corpus: write utterances.tsv for the audio in a folder first"
    )
    parser.add_argument(
        "--speaker",
        metavar="PATTERN",
        help="with it: a regular expression that finds the speaker in a file's path "
        "(its first group); by default the file's folder is the speaker",
    )
    parser.add_argument(
        "--dim",
        type=int,
        metavar="D",
        help="corpus: which measures it carries for layers of D dimensions, what would help, and what a run takes",
    )
    parser.add_argument("--markdown", action="store_true", help="options: as a page, docs/configurations.md")
    parser.add_argument(
        "--json", action="store_true", help="print JSON in place of a table; of `options NAME` its schema"
    )


def run(args: argparse.Namespace) -> int:
    """Print the list.

    Raises:
        UserError: what is to be listed is not named, or cannot be found.
    """
    remote_code.take_flag(args)
    if args.what in NEEDS_NAME and not args.name:
        raise UserError(f"ls {args.what}: name one, such as `s3prl-plugin ls {args.what} {NEEDS_NAME[args.what]}`")
    if args.speaker is not None and not args.write_manifest:
        raise UserError("ls: --speaker says how --write-manifest tells speakers; give both")
    if args.write_manifest and args.what != "corpus":
        raise UserError("ls: --write-manifest is for `ls corpus FOLDER`")
    if args.dim is not None and (args.what != "corpus" or not 0 < args.dim <= MOST_DIMENSIONS):
        raise UserError(f"ls: --dim is for `ls corpus PATH`, and a number from 1 to {MOST_DIMENSIONS}")
    if args.markdown and (args.what != "options" or args.name):
        raise UserError("ls: --markdown is for `ls options`, and prints all of them")
    if args.what == "corpus":
        print(_corpus(args))
        return 0
    if args.what == "options" and (args.markdown or (args.name and args.json)):
        from s3prl_plugin.commands import configurations as files

        print(files.page() if args.markdown else json.dumps(files.describe(args.name), indent=1), end="")
        return 0
    rows = LISTS[args.what](args)
    in_words = _paragraphs if args.what == "measures" and "score" in rows[0] else _table
    print(json.dumps(rows, ensure_ascii=False, indent=1) if args.json else in_words(rows))
    return 0


def _paragraphs(rows: Rows) -> str:
    """A paragraph per row, a line per thing that is said."""
    width = max(len(key) for row in rows for key in row)
    return "\n\n".join(
        "\n".join(f"{key:{width}}  {value}" for key, value in row.items() if value is not None) for row in rows
    )


def _upstreams(args: argparse.Namespace) -> Rows:
    """Our entries with what tells them apart, and s3prl's on request; JSON has all that is known."""
    import s3prl_plugin
    from s3prl_plugin import own_upstreams, registry

    found: Rows = [
        {"upstream": name, **shown}
        for package in own_upstreams.packages().values()
        for name, shown in package.entries(in_full=args.json).items()
    ]
    shown = {row["upstream"] for row in found}
    others = [name for name in registry.upstreams() if name not in shown]
    found += [{"upstream": name, "data": _origin("upstream", name)} for name in others]
    if args.all:
        s3prl_plugin.register()
        shown = {row["upstream"] for row in found}
        found += [{"upstream": name, "data": "(s3prl)"} for name in registry.upstream_names() if name not in shown]
    return _same_columns(found)


def _downstreams(args: argparse.Namespace) -> Rows:
    """Our analyses, and the SUPERB tasks of a suite."""
    from s3prl_plugin import registry, superb

    rows = [
        {"downstream": name, "kind": _kind(name), "what": " ".join(filter(None, (_first_line(package), said)))}
        for name, package in sorted(registry.downstreams().items())
        for said in [_origin("downstream", name)]
    ]
    for task in superb.tasks().values():
        rows.append({"downstream": task.downstream, "kind": f"task {task.name}", "what": task.title})
    return rows


def _first_line(package: str) -> str:
    """What a package says that it is; it is not imported."""

    source = next((file for folder in folders_of(package) if (file := folder / "__init__.py").is_file()), None)
    return (ast.get_docstring(ast.parse(source.read_bytes())) or "").partition("\n")[0] if source else ""


def _kind(downstream: str) -> str:
    """What a registered downstream is."""
    from s3prl_plugin import registry

    if downstream == "suite":
        return "suite"
    return "analysis" if downstream in registry.analyses() else "task"


def _origin(kind: str, name: str) -> str | None:
    """Which other package something is of."""
    from s3prl_plugin import registry

    return ", ".join(f"({package} {version})" for package, version in registry.origin(kind, name).items()) or None


def _measures(args: argparse.Namespace) -> Rows:
    """What the analyses, or the one that is named, can measure, and do by default; of a measure, its scores."""
    from s3prl_plugin import registry
    from s3prl_plugin.analysis import about
    from s3prl_plugin.analysis.defaults import analysis_defaults

    known = about.everything()
    if args.name:
        of_downstream = registry.analyses().get(args.name)
        if args.name in known:
            return [_score(known[args.name], name, score) for name, score in known[args.name].scores.items()]
        if of_downstream is None:
            raise UserError(f"ls measures {args.name}: {did_you_mean(args.name, [*known, *registry.analyses()])}")
        known = {name: measure for name, measure in known.items() if measure.package == of_downstream}
    names = {package: name for name, package in registry.analyses().items()}
    owner = {name: names[measure.package] for name, measure in known.items() if measure.package in names}
    usual = {name: analysis_defaults(name)["measures"] for name in set(owner.values())}
    return [
        {
            "measure": name,
            "downstream": owner[name],
            "default": "yes" if name in usual[owner[name]] else "no",
            "about": measure.about,
            "other view": measure.view,
            "headline": measure.headline,
        }
        for name, measure in known.items()
        if name in owner
    ]


def _score(measure: Measure, name: str, score: Score) -> dict[str, Any]:
    """One score of a measure, in full."""
    return {
        "score": name,
        "headline": "yes" if name == measure.headline else "no",
        "unit": score.unit,
        "better": measure.direction,
        "range": " to ".join("" if end is None else str(end) for end in score.range),
        "says": score.says,
        "chance": score.chance,
        "cannot": score.cannot,
        "source": score.source,
    }


def _options(args: argparse.Namespace) -> Rows:
    """What stands in configurations."""
    from s3prl_plugin.commands import configurations as files

    return files.rows([args.name] if args.name else files.known())


def _taps(args: argparse.Namespace) -> Rows:
    """The taps of an upstream."""
    return [
        {
            "index": tap.index,
            "tap": tap.name,
            "block": tap.block,
            "layer": tap.layer,
            "ms": round(tap.resolution_ms, 4),
            "stride": written_stride(tap.stride),
            "dim": tap.dim,
            "role": tap.role,
        }
        for tap in _taps_of(args.name, args.checkpoint, args.model_config)
    ]


def _taps_of(name: str, checkpoint: str | None, model_config: str | None) -> Iterable[Tap]:
    """From the architecture where it is known; else learned from the upstream itself, given noise."""
    import s3prl_plugin
    from s3prl_plugin import own_upstreams, registry

    known = own_upstreams.taps(name, checkpoint, model_config)
    if known is not None:
        return known
    s3prl_plugin.register()
    name, checkpoint = registry.named(name, checkpoint)
    registry.check_upstream(name)
    from s3prl import hub

    from s3prl_plugin.states import foreign, upstream_files
    from s3prl_plugin.states.featurizer import StatesFeaturizer

    upstream_files.check(name, checkpoint)
    asked = foreign.requested(name, model_config)
    with upstream_files.loading(name, checkpoint):
        upstream = getattr(hub, name)(ckpt=checkpoint, model_config=None if asked else model_config)
    return StatesFeaturizer(asked.applied(upstream) if asked else upstream).taps


def _corpus(args: argparse.Namespace) -> str:
    """What is in a corpus, what is broken, label counts and durations."""
    from s3prl_plugin import corpora
    from s3prl_plugin.corpora import summary
    from s3prl_plugin.corpora.readers import from_folder

    if args.write_manifest:
        folder = Path(args.name.removeprefix("manifest:").partition("?")[0]).expanduser()
        print(from_folder.write(folder, args.speaker), file=sys.stderr)
    corpus = corpora.open_corpus(args.name)
    outlook = None
    if args.dim is not None:
        from s3prl_plugin.commands.outlook import look

        outlook = look(args.name, args.dim)
    if args.json:
        found = corpora.report(corpus) | ({"outlook": outlook.as_json()} if outlook else {})
        return json.dumps(found, ensure_ascii=False, indent=1)
    return summary.text(corpus) + (f"\n{outlook.text()}" if outlook else "")


LISTS: dict[str, Callable[[argparse.Namespace], Rows]] = {
    "upstreams": _upstreams,
    "downstreams": _downstreams,
    "measures": _measures,
    "options": _options,
    "taps": _taps,
}


def _same_columns(rows: Rows) -> Rows:
    """Every row with the keys of the longest, those that say most first; what a row does not know is None."""
    return [{key: row.get(key) for key in max(rows, key=len)} for row in sorted(rows, key=len, reverse=True)]


def _table(rows: Rows) -> str:
    """Rows as aligned columns under their names."""
    if not rows:
        return "nothing"
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _cell(value: object) -> str:
    """A value as text."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
