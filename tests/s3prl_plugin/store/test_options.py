"""What a suite may say of its store."""

import pytest

from s3prl_plugin import config
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import checks
from s3prl_plugin.store import options


def read(given):
    return options.read(config.given({"suite": {"store": given}}))


@pytest.mark.parametrize("given", [None, False, {"enabled": False}])
def test_a_store_is_off_unless_it_is_asked_for(given):
    assert not read(given).enabled


@pytest.mark.parametrize("given", [True, {}, {"enabled": True}, {"dtype": "float16"}])
def test_the_short_forms(given):
    assert read(given) == options.Options(enabled=True, dtype="float16", budget_gb=20, folder=None, check=False)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("store: {dtpye: float16}", "unknown key 'dtpye' in suite.store: did you mean 'dtype'?"),
        ("store: {dtype: float64}", "suite.store.dtype: 'float64' is not possible"),
        ("store: {budget_gb: 0}", "suite.store.budget_gb: 0 is not possible; give a number above 0, or null"),
        ("store: {budget_gb: true}", "suite.store.budget_gb: True is not possible; give a number"),
        ("store: {budget_gb: .nan}", "suite.store.budget_gb: nan is not possible; give a number"),
        ("store: {folder: 3}", "suite.store.folder: 3 is not possible; give text"),
        ("store: {check: maybe}", "suite.store.check: 'maybe' is not possible; give true or false"),
        ("store: yes please", "suite.store: 'yes please' is not possible; give true, false or keys"),
        ("stor: true", "unknown key 'stor' in suite: did you mean 'store' or 'scores'?"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path, line, told):
    path = tmp_path / "suite.yaml"
    path.write_text(f"suite:\n  analyses: {{cca: {{}}}}\n  {line}\n")
    with pytest.raises(UserError) as error:
        checks.check(config.read(path), "suite", ["cca"], ["SID"])
    assert f"{path}, line 3: {told}" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_right_passes(tmp_path):
    path = tmp_path / "suite.yaml"
    for text in ("true", "false", "null", "{dtype: bfloat16, budget_gb: 0.5, folder: /x, check: true}"):
        path.write_text(f"suite:\n  analyses: {{cca: {{}}}}\n  store: {text}\n")
        checks.check(config.read(path), "suite", ["cca"], ["SID"])
