"""The examples of the documentation: commands, blocks of code, and a folder in which they can be run."""

import argparse
import re
import shlex
import shutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import soundfile
import tap_rows
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "upstream").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT),
)
FENCE = re.compile(r'^```(\w+)(?: title="(\S+)")?\n(.*?)^```$', re.M | re.S)
SPEAKERS = ("ann", "bob")
MODULES = {"s3prl_plugin.run_downstream": "run", "s3prl_plugin.run_pretrain": "pretrain"}


class Block(NamedTuple):
    """A fenced block of a page: its language, the file that it is to be, its first line and its text."""

    language: str
    file: str | None
    line: int
    text: str


def blocks(page):
    text = page.read_text(encoding="utf-8")
    return [Block(m[1], m[2], text.count("\n", 0, m.start(3)) + 1, m[3]) for m in FENCE.finditer(text)]


def texts():
    """Where commands stand: name -> text; of pages, configurations (in comments) and helps."""
    from s3prl_plugin import commands
    from s3prl_plugin.pretraining.loop import arguments
    from s3prl_plugin.running import flags

    files = [*PAGES, *sorted(ROOT.glob("configs/**/*.yaml")), *sorted(ROOT.glob("downstream/*/config.yaml"))]
    found = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}
    found |= {"run --help": flags.EXAMPLES, "pretrain --help": arguments.EXAMPLES}
    for name in sorted(commands.COMMANDS.keys() - commands.PASS_FLAGS_ON):
        found[f"{name} --help"] = commands.parser_of(name).epilog or ""
    return {name: text for name, text in found.items() if any(commands_in(text))}


def commands_in(text):
    """The commands of this package in a text: (line, name of the command, what follows it)."""
    text = re.sub(r"\\\n[#\s]*", " ", text)
    for number, line in enumerate(text.split("\n"), 1):
        for part in [line.strip().lstrip("#$ "), *re.findall(r"`([^`]+)`", line)]:
            if words := _own(part):
                yield (number, *words)


def _own(part):
    """The command and its words; None where it is another program's, or not to be given as it stands."""
    match = re.search(r"(?:^|bin/)s3prl-plugin (.*)|^(?:python3?|torchrun [^`]*?) ?-m (s3prl_plugin\S*)(.*)", part)
    if match is None or "..." in part:
        return None
    said = re.sub(r"\[(-[^]]*)\]", r"\1", match[1] or match[3])  # what may be left out
    try:
        words = shlex.split(re.split(r" (?:&&|\||>) |   +[(]", said)[0], comments=True)
    except ValueError:  # prose with an apostrophe
        return None
    name = MODULES.get(match[2])
    if name is None:
        name, *words = words or [""]
    return (name, words) if re.fullmatch(r"[a-z]+", name) else None


class Built(Exception):
    """Ends s3prl's function when its parser is complete."""


@cache
def run_parser():
    """The parser that reads the flags of a run: s3prl's own, with this plugin's additions."""
    import s3prl_plugin
    from s3prl_plugin.compat.replaced import replaced
    from s3prl_plugin.running import arguments

    s3prl_plugin.register()
    from s3prl import run_downstream as stock

    class Parser(arguments.Parser):
        def parse_args(self, *args, **kwargs):
            raise Built(self)

    try:
        with replaced(stock, argparse=SimpleNamespace(ArgumentParser=Parser)):
            stock.get_downstream_args()
    except Built as built:
        return built.args[0]


def parsed(name, words):
    """What the command's own parser makes of the words; what it would do afterwards is not done.

    Raises:
        UserError or SystemExit: it refuses them.
    """
    from s3prl_plugin import commands
    from s3prl_plugin.pretraining.loop import arguments

    parsers = {"run": run_parser, "pretrain": arguments.Parser}
    parser = parsers[name]() if name in parsers else commands.parser_of(name)
    return argparse.ArgumentParser.parse_args(parser, words)


def write_runs(folder):
    """Folders as runs leave them, with planted rows: demo_out (one run), hubert_out (of another model), study_out."""
    peaked = [0.20, 0.22, 0.25, 0.30, 0.40, 0.32, 0.30, 0.25, 0.20]
    for name, upstream, low in (("demo_out", "mr_hubert_tiny", 0.0), ("hubert_out", "hubert_tiny", 0.05)):
        means = [mean - low for mean in peaked]
        for run in (folder / name, folder / "study_out" / upstream):
            _write_run(run, upstream, means)
    (folder / "study_out" / "study.json").write_text('{"upstreams": ["mr_hubert_tiny", "hubert_tiny"]}')
    _write_recordings(folder / "recordings")
    lines = [f"{speaker}{number}\t{speaker}/{number}.wav\t{speaker}" for speaker in SPEAKERS for number in range(5)]
    table = shutil.copytree(folder / "recordings", folder / "my_corpus") / "utterances.tsv"
    table.write_text("\n".join(["utt\taudio\tspeaker", *lines]))


def _write_run(folder, upstream, means):
    from s3prl_plugin import own_upstreams, results

    taps = [tap.name for tap in own_upstreams.taps(upstream, None, None) if tap.role == "state"]
    measures = ("cca_phone", "mi_phone", "cca_word", "cca_speaker", "cca_mel")
    rows = [
        row
        for seed, measure in enumerate(measures)
        for row in tap_rows.layers(means[: len(taps)], measure, taps=taps, seed=seed, upstream=upstream, corpus="timit")
    ]
    results.write(folder, rows)
    arguments = {"upstream": upstream, "upstream_ckpt": None, "upstream_model_config": None}
    (folder / "args_2026-01-01-00-00-00.yaml").write_text(yaml.safe_dump(arguments))
    suite = {"suite": {"corpus": "generated", "analyses": {"cca": {}}}}
    (folder / "config_2026-01-01-00-00-00.yaml").write_text(yaml.safe_dump(suite))


def _write_recordings(folder):
    """Ten seconds of noise by two speakers."""
    draw = np.random.default_rng(0)
    for speaker in SPEAKERS:
        (folder / speaker).mkdir(parents=True)
        for number in range(5):
            soundfile.write(folder / speaker / f"{number}.wav", 0.1 * draw.standard_normal(16000), 16000)
