"""Options from files and keyword arguments."""

from pathlib import Path

import pytest

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import options

PACKAGED = sorted((Path(__file__).parents[3] / "configs" / "upstream").glob("*.yaml"))


@pytest.mark.parametrize("path", PACKAGED, ids=lambda path: path.name)
def test_packaged_files_are_valid_and_change_something(path):
    assert options.read(path, {}).changed()


def test_keyword_arguments_take_precedence(tmp_path):
    (tmp_path / "g.yaml").write_text("dtype: bfloat16\nreset_top: 2\n")
    found = options.read(tmp_path / "g.yaml", {"reset_top": 3})
    assert found.changed() == {"dtype": "bfloat16", "reset_top": 3}
    assert options.read(None, {}).changed() == {}


def test_an_unknown_option_gets_a_suggestion(tmp_path):
    with pytest.raises(UserError, match="did you mean 'exact_batches'"):
        options.read(None, {"exact_batch": False})
    (tmp_path / "g.yaml").write_text("dtype: float32\nstop_a: mid.pre\n")
    with pytest.raises(UserError, match=r"g\.yaml, line 2: .*did you mean 'stop_at'"):
        options.read(tmp_path / "g.yaml", {})
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        options.read(tmp_path / "nowhere.yaml", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exact_batches", "yes"),
        ("native", 1),
        ("dtype", "float16"),
        ("dtype", None),
        ("reset_top", -1),
        ("reset_top", True),
        ("reset_top", 1.0),
        ("seed", "0"),
        ("stop_at", 3),
        ("feature_grad_mult", "1"),
        ("feature_grad_mult", -0.5),
        ("pool_to", "max:40"),
        ("pool_to", "mean"),
        ("pool_to", "mean:0"),
        ("pool_to", "mean:forty"),
        ("pool_to", 40),
    ],
)
def test_impossible_values_are_refused_in_one_line(tmp_path, name, value):
    with pytest.raises(UserError, match=f"^{name}") as error:
        options.read(None, {name: value})
    assert "\n" not in str(error.value)
