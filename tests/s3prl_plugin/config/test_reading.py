"""Configurations: what is refused, and how the message points at it."""

import pytest

from s3prl_plugin import config
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import checks

ANALYSES = ("cca", "mi")
TASKS = ("SID",)


def written(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return path


def refused(tmp_path, text, downstream="suite"):
    with pytest.raises(UserError) as error:
        checks.check(config.read(written(tmp_path, text)), downstream, ANALYSES, TASKS)
    message = str(error.value)
    assert "\n" not in message
    assert str(tmp_path / "run.yaml") in message
    return message


def test_an_unknown_top_level_key_is_named_with_its_line(tmp_path):
    message = refused(tmp_path, "# a comment\nrunner: {}\nsuit: {}\n")
    assert "line 3" in message
    assert "'suite'" in message


def test_keys_of_a_suite_are_checked_at_every_depth(tmp_path):
    assert "'measures'" in refused(tmp_path, "suite:\n  analyses:\n    cca: {mesures: [cca_mel]}\n")
    assert "'cca'" in refused(tmp_path, "suite:\n  analyses:\n    ccca: {}\n")
    assert "'SID'" in refused(tmp_path, "suite:\n  tasks:\n    SIT: {}\n")
    assert "'override'" in refused(tmp_path, "suite:\n  tasks:\n    SID: {overide: {}}\n")
    assert "'batch_size'" in refused(tmp_path, "suite:\n  batchsize: 8\n  analyses: {cca: {}, mi: {}}\n")


def test_an_analysis_alone_is_checked_too(tmp_path):
    message = refused(tmp_path, "downstream_expert:\n  corpus: generated\n  protocoll: default\n", "cca")
    assert "line 3" in message
    assert "'protocol'" in message


def test_a_suite_without_a_suite_is_refused(tmp_path):
    assert "suite" in refused(tmp_path, "runner: {}\n")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: [1\n", "not valid YAML"),
        ("- 1\n", "list"),
        ("a: 1\nb: 2\na: 3\n", "second time"),
        ("runner: 3\n", "must hold keys"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path, text, part):
    with pytest.raises(UserError, match=part) as error:
        config.read(written(tmp_path, text)).section("runner")
    assert "\n" not in str(error.value)


def test_nothing_in_a_file_is_executed(tmp_path):
    with pytest.raises(UserError, match="not valid YAML"):
        config.read(written(tmp_path, "a: !!python/tuple [1, 2]\n"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.yaml"):
        config.read(tmp_path / "absent.yaml")


def test_the_packaged_suite_passes_its_own_check():
    read = config.read(config.packaged("configs", "suite", "first_light.yaml"))
    checks.check(read, "suite", ANALYSES, TASKS)


def test_a_packaged_file_that_does_not_exist_gets_a_suggestion():
    with pytest.raises(UserError, match=r"suite/first_light\.yaml"):
        config.packaged("configs", "suite", "frist_light.yaml")
