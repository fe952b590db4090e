"""Every number is explained where it is computed: by complete files, that all readers read."""

import importlib
import json
import re

import pytest

from s3prl_plugin import commands, registry, superb
from s3prl_plugin.analysis import about
from s3prl_plugin.analysis.defaults import analysis_defaults
from s3prl_plugin.errors import UserError

ANALYSES = {name: package for name, package in registry.downstreams().items() if name != "suite"}


@pytest.mark.parametrize("name", sorted(ANALYSES))
def test_a_downstream_explains_the_measures_that_it_knows_and_no_others(name):
    known = importlib.import_module(f"{ANALYSES[name]}.expert").DownstreamExpert.known_measures
    explained = about.of(ANALYSES[name])
    assert set(explained) == set(known)
    assert set(analysis_defaults(name)["measures"]) <= set(explained)


@pytest.mark.parametrize("name", sorted(ANALYSES))
def test_a_score_says_what_it_is_what_it_cannot_say_and_where_it_is_from(name):
    for measure in about.of(ANALYSES[name]).values():
        assert measure.direction in ("higher", "lower")
        assert measure.headline is None or measure.headline in measure.scores
        for score in measure.scores.values():
            assert all((score.says, score.chance, score.cannot, score.source))
            assert len(score.range) == 2
            assert not score.says.endswith(".")


def test_a_row_that_nothing_explains_is_not_written():
    about.check("s3prl_plugin.downstream.mi", "mi_phone", "adjusted")
    about.check("s3prl_plugin.downstream.mi", "grid_phone", "shared")
    for measure, score in (("mi_phone", "brilliance"), ("mi_smell", "adjusted")):
        with pytest.raises(ValueError, match=f"explains no {measure}/{score}"):
            about.check("s3prl_plugin.downstream.mi", measure, score)


def test_scores_of_tasks_say_their_unit_and_direction():
    for task in superb.tasks().values():
        assert task.title
        for score in task.scores:
            assert score.unit
            assert isinstance(score.higher_is_better, bool)


def test_measures_are_listed_with_what_they_are(capsys):
    assert commands.main(["ls", "measures", "--json"]) == 0
    listed = {row["measure"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(listed) == {m for package in ANALYSES.values() for m in about.of(package)}
    assert listed["mi_frames"]["headline"] == "pnmi"
    assert listed["cka_matrix"]["headline"] is None
    assert list(listed)[:2] == ["cca_phone", "mi_phone"], "phones come first, whatever measures them"
    assert commands.main(["ls", "measures", "mi_word"]) == 0
    shown = capsys.readouterr().out
    assert "k-means units" in shown
    assert re.search(r"headline +yes", shown)
    assert commands.main(["ls", "measures", "mi_words"]) == 2
    assert "did you mean 'mi_word'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("measures: [", "not what a downstream's about.yaml holds"),
        ("measures: {}", "not what a downstream's about.yaml holds"),
        ("measures: {m: {about: x, view: y, headline: s2}}\nscores: {}", "headline of m"),
        ("measures: {m: {about: x, views: y}}\nscores: {}", "views"),
    ],
)
def test_a_file_that_is_no_explanation_is_told_in_one_line(tmp_path, monkeypatch, text, message):
    (tmp_path / "strange_package").mkdir()
    (tmp_path / "strange_package" / "__init__.py").touch()
    (tmp_path / "strange_package" / "about.yaml").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=message):
        about.of("strange_package")
