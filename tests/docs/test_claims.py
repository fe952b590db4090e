"""What the documentation claims, where no other test shows it."""

import configparser
import re
import statistics
import tomllib

import examples

from benchmarks.__main__ import SUBJECTS
from s3prl_plugin import corpora, registry
from s3prl_plugin.inference import refusal

ROOT = examples.ROOT
DOCS = examples.ROOT / "docs"


def test_half_of_the_phones_of_the_timit_sample_are_shorter_than_70_ms(timit_sample):
    """docs/theory/low_rates.md"""
    corpus = corpora.open_corpus(f"manifest:{timit_sample}")
    spoken = [p.end_s - p.start_s for u in corpus.utterances for p in u.phones if p.label not in corpus.silence]
    assert 0.060 < statistics.median(spoken) < 0.070


def test_the_guide_names_every_analysis():
    page = (DOCS / "guide" / "analyse.md").read_text()
    assert all(f"| `{name}` |" in page for name in registry.analyses())


def test_every_packaged_study_is_in_the_guide():
    pages = "".join(page.read_text() for page in (DOCS / "guide").glob("*.md"))
    for path in (ROOT / "configs" / "suite").glob("*.yaml"):
        assert f"suite/{path.name}" in pages, path.name


def test_the_limits_of_refusals_are_those_of_the_code():
    page = (DOCS / "theory" / "refusals.md").read_text()
    for below, grey in (
        (f"below {refusal.EFFECTIVE_ROWS_REFUSED:g} effective rows", f"below {refusal.EFFECTIVE_ROWS_GREY:g} |"),
        (f"below {refusal.ROWS_PER_DIMENSION_REFUSED:g} rows", f"below {refusal.ROWS_PER_DIMENSION_GREY:g} |"),
        ("more than half of", f"more than {refusal.CHANCE_SHARE_GREY:g} of"),
    ):
        assert any(below in line and grey in line for line in page.splitlines()), below
    assert refusal.CHANCE_SHARE_REFUSED == 0.5


def test_the_rooms_of_the_architecture_are_those_of_the_contract_in_its_order():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each for each in contracts if each["type"] == "layers")["layers"]
    rooms = [set(re.findall(r"s3prl_plugin\.([\w.]+)", layer)) for layer in layers]
    section = (ROOT / "ARCHITECTURE.md").read_text().partition("| from the top |")[2].partition("\n\n")[0]
    said = [set(re.findall(r"`([\w.]+)`", line.split("|")[1])) for line in section.splitlines()[2:]]
    places = {room: number for number, layer in enumerate(rooms) for room in layer}
    assert set().union(*said) == places.keys() - {"__main__"}
    order = [places[room] for line in said for room in sorted(line, key=places.get)]
    assert order == sorted(order)


def test_the_start_names_every_extra():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    page = (DOCS / "index.md").read_text()
    assert {name for name in settings["options.extras_require"] if f"| `{name}` |" not in page} == set()


def test_every_benchmark_that_a_page_names_is_there():
    named = re.findall(
        r"python -m benchmarks(?:\.(\w+))? ([\w-]+)", "\n".join(page.read_text() for page in examples.PAGES)
    )
    assert len(named) > 4
    for module, subject in named:
        if module:
            assert f'"{subject}"' in (ROOT / "benchmarks" / f"{module}.py").read_text(), (module, subject)
        else:
            assert subject == "--help" or subject in SUBJECTS, subject
