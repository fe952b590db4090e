"""Every example in the documentation, in docstrings, in configurations and in help texts works as it stands."""

import doctest
import importlib.util
import os
import re
from contextlib import contextmanager
from pathlib import Path

import examples
import pytest

import s3prl_plugin
from s3prl_plugin import commands, config, own_upstreams, registry
from s3prl_plugin.config import overrides
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import arguments

ROOT = examples.ROOT
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*\b|my[_.]")  # a file or folder that is the reader's


def told(path):
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where examples are run: results of two models and of a study, and recordings."""
    folder = tmp_path_factory.mktemp("examples")
    examples.write_runs(folder)
    return folder


@contextmanager
def inside(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


s3prl_plugin.register()
TEXTS = examples.texts()


@pytest.mark.parametrize("place", TEXTS)
def test_every_command_is_read_by_its_parser_and_names_what_there_is(place):
    path = ROOT / place
    made = {block.file for block in examples.blocks(path)} if path.suffix == ".md" else set()
    for line, name, words in examples.commands_in(TEXTS[place]):
        at = f"{place}, line {line}: {name} {' '.join(words)}"
        assert name in commands.COMMANDS, at
        if not words or {"-h", "--help", "--json"} >= set(words):
            continue
        try:
            found = vars(examples.parsed(name, words))
        except (SystemExit, UserError) as error:
            raise AssertionError(f"{at}: {error}") from None
        if found.get("output"):
            made |= {str(found["output"]), *(f"{found['output'].stem}_{of}.yaml" for of in ("upstream", "suite"))}
        _check_files(at, found, made, beside=path.parent)
        _check_names(at, name, found)


def _check_files(at, found, made, beside):
    """What -c and -g name is a packaged configuration, a block of the page, or what an earlier command wrote."""
    for flag in ("config", "upstream_model_config", "upstream_config", "model_config"):
        given = found.get(flag)
        if given is None or given in made or PLACEHOLDER.match(Path(given).name) or (beside / given).is_file():
            continue
        assert arguments.existing(flag, given).is_file(), at


def _check_names(at, name, found):
    """Upstreams, downstreams, corpora and overrides."""
    upstream = found.get("upstream") if name in ("run", "pretrain", "demo") else None
    if upstream and not PLACEHOLDER.match(upstream):
        entry, _ = registry.named(upstream, None)
        known = registry.upstream_names() if name != "pretrain" else own_upstreams.pretrainable()
        assert entry in known or entry == "bands", at
    if name == "run" and not PLACEHOLDER.match(found["downstream"] or "OUT"):
        assert found["downstream"] in {*registry.downstream_names(), "offset"}, at
    if found.get("override"):
        assert overrides.parse(found["override"]), at
    corpus = found.get("corpus")
    if name == "demo" and corpus != "generated":
        assert corpus.partition(":")[0] in registry.corpora(), at


def cheap():
    """(page, command line) that read results or lists alone, each once."""
    found = {}
    for page in examples.PAGES:
        if page.name == "extending.md":  # whose commands need its package
            continue
        for _, name, words in examples.commands_in(page.read_text()):
            reads = name in ("report", "select") and words[:1] and set(_folders(words)) <= {"demo_out", "hubert_out",
                "study_out"}  # fmt: skip
            lists = name == "ls" and words[0] in ("upstreams", "measures", "downstreams") and "--all" not in words
            taps = words[:2] in (["taps", "mr_hubert_tiny"], ["taps", "hubert_tiny"])
            recorded = name == "ls" and words[:2] == ["corpus", "recordings"]
            trains = "--verify" in words and "--dry-run" not in words
            asks_for_more = {"--verified", "--against"} & set(words)  # heads and probes, which those folders lack
            if (reads or lists or taps or recorded) and not trains and not asks_for_more:
                found.setdefault((name, *words), page)
    return [pytest.param(words, id=f"{told(page)}: {' '.join(words)}") for words, page in found.items()]


def _folders(words):
    """The first words, up to a flag."""
    end = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    return words[:end] or ["none"]


@pytest.mark.parametrize("words", cheap())
def test_every_cheap_command_runs(words, folder, capsys):
    with inside(folder):
        status = commands.main(list(words))
    said = capsys.readouterr()
    assert status == 0, said.err
    assert said.out or said.err


PYTHON = [page for page in examples.PAGES if any(b.language == "python" and not b.file for b in examples.blocks(page))]


@pytest.mark.parametrize("page", PYTHON, ids=told)
def test_every_block_of_python_runs(page, folder):
    """From top to bottom, as in a notebook."""
    names = {"__name__": "__main__"}
    for block in examples.blocks(page):
        if block.language == "python" and not block.file:
            code = compile("\n" * (block.line - 1) + block.text, told(page), "exec")
            with inside(folder):
                exec(code, names)


CONFIGURED = [page for page in examples.PAGES if any(block.language == "yaml" and block.file for block in
              examples.blocks(page))]  # fmt: skip


@pytest.mark.parametrize("page", CONFIGURED, ids=told)
def test_every_configuration_is_taken_by_the_command_that_names_it(page, tmp_path):
    files = {block.file: block.text for block in examples.blocks(page) if block.language == "yaml" and block.file}
    used = 0
    for _, name, words in examples.commands_in(page.read_text()):
        found = vars(examples.parsed(name, words)) if name == "run" else {}
        for flag in ("config", "upstream_model_config"):
            if found.get(flag) in files:
                path = tmp_path / found[flag]
                path.write_text(files[found[flag]])
                used += 1
                if flag == "config" and page.name != "extending.md":  # whose names are its own package's
                    arguments.check_config(path, found["downstream"])
                elif flag != "config":
                    own_upstreams.check_options(found["upstream"], config.read(path).data)
    assert used


def modules():
    """Those whose docstrings have examples."""
    found = []
    for root in ("s3prl_plugin", "upstream", "downstream"):
        for path in sorted((ROOT / root).rglob("*.py")):
            if ">>>" in path.read_text():
                parts = path.relative_to(ROOT).with_suffix("").parts
                name = ".".join(parts if root == "s3prl_plugin" else ("s3prl_plugin", *parts))
                found.append(name.removesuffix(".__init__"))
    return found


@pytest.mark.parametrize("name", modules())
def test_every_example_in_a_docstring_gives_what_it_says(name, folder):
    with inside(folder):
        failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_no_example_is_skipped():
    for root in ("s3prl_plugin", "upstream", "downstream"):
        for path in (ROOT / root).rglob("*.py"):
            assert "doctest: +SKIP" not in path.read_text(), path


NAMED = re.compile(r"`([\w./]+/[\w.]+\.(?:py|yaml|md|toml|cff))`")


@pytest.mark.parametrize("page", examples.PAGES, ids=told)
def test_every_file_that_a_page_names_is_there(page):
    tree = {told(path) for path in ROOT.rglob("*.*") if not {".git", "build", "venv"} & set(path.parts)}
    s3prl = Path(importlib.util.find_spec("s3prl").origin).parent
    tree |= {path.relative_to(s3prl).as_posix() for path in s3prl.rglob("*.py")}
    own = {block.file for block in examples.blocks(page)}
    for name in NAMED.findall(page.read_text()):
        if "NAME" in name:
            continue
        assert name in own or any(f"/{path}".endswith(f"/{name}") for path in tree), name


def test_the_page_on_choosing_layers_names_what_decides():
    from s3prl_plugin.select import CRITERIA

    page = (ROOT / "docs" / "guide" / "select.md").read_text()
    said = dict(re.findall(r"^\| ((?:[A-Z]\w+(?:, )?)+) \| (`.*?) \|$", page, re.M))
    found = {
        task: tuple(re.findall(r"`(\w+)`", measures)) for tasks, measures in said.items() for task in tasks.split(", ")
    }
    assert found == {task: each.measures for task, each in CRITERIA.items() if task != "PR39"}
