"""The pages of the site that are made from the code, and the files of the project's root that it shows.

A hook of mkdocs (see mkdocs.yml). What makes a page returns Markdown, and knows nothing of mkdocs.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHOWN = {"architecture.md": "ARCHITECTURE.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
HALVES = ("upstream", "downstream", "configs")  # that setup.cfg maps into the package


def results() -> str:
    """Every field of a results row, with its type, and what it means by the docstring of `Row`."""
    from s3prl_plugin import registry
    from s3prl_plugin.analysis import about
    from s3prl_plugin.results import IDENTITY, SCHEMA, Row

    meanings = explained(Row.__doc__ or "")
    lines = [
        *_begin("Results", "s3prl_plugin/results.py"),
        f"A run writes `results.jsonl` into its folder: one JSON object per number, with `schema` {SCHEMA}. A number",
        "that the data do not support has no `value`, and the reason in `refused`.",
        "[Read results in a notebook](../how_to/notebook.md) says how to load them.\n",
        "Two rows with the same **identity** are the same number, and the later one replaces the earlier one. The",
        "identity is the digest of the weights (`weights_id`, or else `checkpoint_sha256`) with the fields that bear a",
        "mark. What the program chose itself (`n`, `folds`, `clusters`) is not part of it.\n",
        "| field | identity | type | what it is |",
        "|---|---|---|---|",
    ]
    for field in fields(Row):
        kind = str(field.type).replace(" | None", "").replace("Stride", "int | str").replace("|", "or")
        mark = "✓" if field.name in IDENTITY else ""
        lines.append(f"| `{field.name}` | {mark} | `{kind}` | {_cell(meanings.get(field.name, ''))} |")
    lines += ["\n## Details\n", "What `details` hold, which only rows of some downstreams have:\n"]
    lines += ["| downstream | detail | what it is |", "|---|---|---|"]
    for name, package in sorted(registry.analyses().items()):
        for detail, text in next(iter(about.of(package).values())).fields.items():
            lines.append(f"| `{name}` | `{detail}` | {_cell(text)} |")
    return "\n".join(lines) + "\n"


def explained(docstring: str) -> dict[str, str]:
    """Attribute -> what the section `Attributes:` of a docstring says of it; several names may share a text."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n {8}(?=\S)", "\n" + docstring.partition("Attributes:\n")[2].rstrip()):
        names, colon, text = " ".join(entry.split()).partition(": ")
        if colon:
            found |= dict.fromkeys(names.split(", "), text)
    return found


def measures() -> str:
    """Every measure with its scores, from the about.yaml files."""
    from s3prl_plugin import registry
    from s3prl_plugin.analysis import about
    from s3prl_plugin.analysis.defaults import analysis_defaults

    lines = [
        *_begin("Measures", "the about.yaml files of the analyses"),
        "What each analysis measures, and how far each of its scores can be trusted. `s3prl-plugin ls measures NAME`",
        "prints the same. A measure in *italics* is computed only where it is named under `measures:`.\n",
    ]
    known = about.everything()
    for name, package in sorted(registry.analyses().items()):
        own = {measure: what for measure, what in known.items() if what.package == package}
        usual = analysis_defaults(name)["measures"]
        lines += [f"## {name}\n", f"`-d {name}`: {_first_line(package)}\n"]
        lines += ["| measure | about | the other view | headline | better |", "|---|---|---|---|---|"]
        for measure, what in own.items():
            shown = f"`{measure}`" if measure in usual else f"*`{measure}`*"
            headline = f"`{what.headline}`" if what.headline else ""
            lines.append(f"| {shown} | {what.about} | {_cell(what.view)} | {headline} | {what.direction} |")
        lines.append("")
        for score, said in {score: said for what in own.values() for score, said in what.scores.items()}.items():
            least, most = ("any value" if end is None else str(end) for end in said.range)
            unit = f", in {said.unit}" if said.unit else ""
            lines += [
                f"**`{score}`**{unit}, from {least} to {most}: {said.says}. Chance: {said.chance}.",
                f"It cannot {said.cannot}. *Source: {said.source}.*\n",
            ]
    return "\n".join(lines) + "\n"


def configurations() -> str:
    """Every packaged configuration, as it is: its comments explain the options."""
    from s3prl_plugin import registry

    groups = {
        "Analyses": {f"-d {name}": ROOT / "downstream" / name / "config.yaml" for name in sorted(registry.analyses())},
        "Suites and studies (`-c`)": _configs("suite"),
        "Options of an upstream (`-g`)": _configs("upstream"),
        "Pre-training (`-g`)": _configs("pretrain"),
        "SUPERB tasks": _configs("superb"),
    }
    lines = [
        *_begin("Packaged configurations", "the packaged files"),
        "A file given by `-c` holds the options that differ; all others keep the values below. The names in the",
        "headings are what `-c` and `-g` take, in whatever folder you are. [Options](../configurations.md) says what",
        "each of them may be.\n",
    ]
    for title, files in groups.items():
        lines.append(f"## {title}\n")
        for name, path in files.items():
            lines += [f"### {name}\n", "```yaml", path.read_text(encoding="utf-8").rstrip(), "```\n"]
    return "\n".join(lines)


def command_line() -> str:
    """The help of every command."""
    from s3prl_plugin import commands
    from s3prl_plugin.pretraining.loop import arguments
    from s3prl_plugin.running import flags

    others = {"run": flags.text, "pretrain": lambda: arguments.Parser().format_help()}
    lines = [
        *_begin("Command line", "the parsers"),
        "`s3prl-plugin COMMAND`, or `python -m s3prl_plugin COMMAND`. `s3prl-plugin run` is the same as",
        "`python -m s3prl_plugin.run_downstream`, and `pretrain` as `python -m s3prl_plugin.run_pretrain`. The exit",
        "status is 0; 1 where a part of a run failed; 2 for what you can mend, which is said in one line.\n",
    ]
    for name, line in commands.COMMANDS.items():
        shown = others[name]() if name in others else commands.parser_of(name).format_help()
        lines += [f"## {name}\n", f"{line[0].upper()}{line[1:]}.\n", "```text", shown.rstrip(), "```\n"]
    return "\n".join(lines)


PAGES: dict[str, Callable[[], str]] = {
    "reference/results.md": results,
    "reference/measures.md": measures,
    "reference/configurations.md": configurations,
    "reference/command_line.md": command_line,
}


def _begin(title: str, source: str) -> list[str]:
    return [f"<!-- made from {source} by docs/_site/pages.py -->", f"# {title}\n"]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _first_line(package: str) -> str:
    """Of a downstream's docstring; it is not imported."""
    source = ROOT / "downstream" / package.rpartition(".")[2] / "__init__.py"
    return source.read_text(encoding="utf-8").removeprefix('"""').partition("\n")[0].removesuffix('"""')


def _configs(folder: str) -> dict[str, Path]:
    """Name for `-c` or `-g` -> file."""
    files = sorted((ROOT / "configs" / folder).rglob("*.yaml"))
    return {path.relative_to(ROOT / "configs").as_posix(): path for path in files}


def on_config(config: Any) -> Any:
    """Of mkdocs: the package in one place, by links, as the wheel has it; mkdocstrings reads it and imports nothing."""
    package = Path(tempfile.mkdtemp(prefix="s3prl_plugin_docs_")) / "s3prl_plugin"
    package.mkdir()
    for path in [*(ROOT / "s3prl_plugin").iterdir(), *(ROOT / half for half in HALVES)]:
        (package / path.name).symlink_to(path)
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(package.parent)]
    return config


on_config.mkdocs_priority = 100  # type: ignore[attr-defined]  # before mkdocstrings takes up its options


def on_files(files: Any, config: Any) -> Any:
    """Of mkdocs: the pages that are no file of docs/."""
    from mkdocs.structure.files import File

    made = {name: page() for name, page in PAGES.items()}
    made |= {name: _linked((ROOT / source).read_text(encoding="utf-8")) for name, source in SHOWN.items()}
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def _linked(text: str) -> str:
    """A file of the project's root, with its links as seen from docs/."""
    for page, source in SHOWN.items():
        text = text.replace(f"]({source}", f"]({page}")
    return text.replace("](docs/", "](")
