"""What configurations may hold: its page, and its JSON schemas beside another validator and the packaged files."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from s3prl_plugin import registry
from s3prl_plugin.commands import configurations, main

ROOT = Path(__file__).parents[3]
FILES = {
    **dict.fromkeys((ROOT / "configs" / "suite").glob("*.yaml"), "suite"),
    **dict.fromkeys((ROOT / "configs" / "upstream").glob("*.yaml"), "mr_hubert"),
    **{
        path: "pretrain_hqa" if path.name.startswith("hqa") else "pretrain_mr_hubert"
        for path in (ROOT / "configs" / "pretrain").rglob("*.yaml")
    },
    **{path: path.parent.name for path in (ROOT / "downstream").glob("*/config.yaml") if path.parent.name != "suite"},
}


def refused(name, content):
    """What another validator has against it."""
    validator = jsonschema.Draft202012Validator(configurations.describe(name))
    return [".".join(map(str, error.absolute_path)) for error in validator.iter_errors(content)]


def test_the_page_says_what_the_program_says():
    page = (ROOT / "docs" / "configurations.md").read_text(encoding="utf-8")
    assert page == configurations.page(), "s3prl-plugin ls options --markdown > docs/configurations.md"
    assert "| `study.seeds` | a list (each a whole number from 0 to 2^32 - 1), or null |" in page
    assert "|  |\n" not in page.partition("## `pretrain_hqa`")[2], "every option of a dataclass is explained"


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: "/".join(path.parts[-2:]))
def test_packaged_files_are_as_their_schema_says(path):
    assert refused(FILES[path], yaml.safe_load(path.read_text(encoding="utf-8")) or {}) == []


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("cca", {"downstream_expert": {"protocol": "mine"}}, "downstream_expert.protocol"),
        ("cca", {"downstream_exprt": {}}, ""),
        ("suite", {"suite": {"analyses": {"mi": {"seeds": 0}}}}, "suite.analyses.mi"),
        ("suite", {"suite": {"tasks": {"PRR": None}}}, "suite.tasks"),
        ("suite", {"suite": {"store": {"dtype": "float64"}}}, "suite.store"),
        ("suite", {"study": {"upstreams": {"a": {"upstrem": "fbank"}}}}, "study.upstreams.a"),
        ("hf", {"longer": "stretch"}, "longer"),
        ("any_upstream", {"seed": -1}, "seed"),
        ("pretrain_mr_hubert", {"runner": {"save_steps": {"first": 1}}}, "runner.save_steps"),
        ("pretrain_hqa", {"model": {"codes": -1}}, "model.codes"),
    ],
)
def test_an_editor_marks_what_a_run_would_refuse(name, content, where):
    assert where in refused(name, content)


def test_every_kind_of_file_has_a_schema_and_rows(capsys):
    names = configurations.known()
    assert set(registry.analyses()) - {"suite"} <= set(names)
    assert main(["ls", "options", "rank", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(configurations.describe("rank")))
    assert main(["ls", "options"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]} == set(names)
    assert main(["ls", "options", "rnak"]) == 2
    assert "did you mean 'rank'" in capsys.readouterr().err
