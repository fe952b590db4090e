"""Settings that name code are names out of a list, wherever they come from."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import s3prl_plugin
from s3prl_plugin import config, registry, superb
from s3prl_plugin.config import setting_names
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import checks

s3prl_plugin.register()
ROOT = Path(find_spec("s3prl").submodule_search_locations[0])
NO_NAME = "1 + 1"  # harmless: were it run, it would be 2


def refused(settings, downstream):
    with pytest.raises(UserError) as caught:
        setting_names.check(settings, downstream, lambda keys, message: UserError(message))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def nested(keys, value):
    """A mapping that holds the value under the keys."""
    for key in reversed(keys):
        value = {key: value}
    return value


ALL = [(downstream, key) for downstream, keys in setting_names.SETTINGS.items() for key in keys]


@pytest.mark.parametrize(("downstream", "key"), ALL)
@pytest.mark.parametrize("value", [NO_NAME, f"{NO_NAME}.real", ["FrameLevel", NO_NAME], b"1 + 1", True, 1.5j])
def test_no_setting_takes_an_expression(downstream, key, value):
    for way in ((), ("modelrc",), ("modelrc", "UtteranceLevel", "post_net")):
        message = refused({"downstream_expert": nested((*way, key), value)}, downstream)
        assert message.startswith(".".join(("downstream_expert", *way, key)) + ": ")
        assert "is not possible; " in message or ": there is no " in message


@pytest.mark.parametrize("key", ["optimizer.name", "scheduler.name", "optimizer.torch_optim_name"])
def test_optimizers_and_schedulers_have_names(key):
    section, name = key.split(".")
    assert key in refused({section: {name: NO_NAME}}, "voxceleb1")
    close = {"optimizer.name": "TorchOptm", "scheduler.name": "linear_schedule_with_warmups"}.get(key, "Adamm")
    assert "did you mean" in refused({section: {name: close}}, "any")
    setting_names.check({section: None}, "voxceleb1", UserError)


@pytest.mark.parametrize("key", ["train_dataloader", "eval_dataloaders"])
def test_splits_have_names(key):
    assert f"runner.{key}" in refused({"runner": {key: ["dev", NO_NAME]}}, "voxceleb1")
    setting_names.check({"runner": {key: ["dev", "test-clean"]}}, "asr", UserError)


def test_the_settings_of_superb_pass():
    for name, task in superb.tasks().items():
        read = config.read(config.packaged("configs", "superb", task.config))
        setting_names.check_file(read, task.downstream)
        assert name


def _classes_and_functions(module: Path) -> set[str]:
    """What a module of s3prl's defines or imports, by its source."""
    found: set[str] = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.names[0].name != "*":
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            folder = module.parent if node.level == 1 else module.parent.parent
            found |= _classes_and_functions(folder.joinpath(*node.module.split(".")).with_suffix(".py"))
    return found


@pytest.mark.parametrize(("downstream", "key"), ALL)
def test_every_name_is_there(downstream, key):
    own = (ROOT / "downstream" / downstream).glob("*.py")
    there = set().union(*map(_classes_and_functions, (*own, ROOT / "downstream" / "model.py")), vars(torch.nn))
    for name in setting_names.SETTINGS[downstream][key]:
        assert name in there or name.upper() in there or name == "-math.inf"


def test_every_optimizer_and_scheduler_is_there_and_no_other():
    for file, names in (("optimizers", setting_names.OPTIMIZERS), ("schedulers", setting_names.SCHEDULERS)):
        there = {n.removeprefix("get_") for n in _classes_and_functions(ROOT / f"{file}.py") if n.startswith("get_")}
        assert set(names) == there - {"optimizer", "scheduler", "grouped_parameters"}


def _evaluated() -> Iterator[tuple[str, str]]:
    """(module, expression) of everything that s3prl's runner, downstreams and upstreams evaluate."""
    for path in (*ROOT.glob("*.py"), *ROOT.glob("downstream/**/*.py"), *ROOT.glob("upstream/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "eval":
                module = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
                yield module, ast.unparse(node.args[0])


def test_every_module_that_evaluates_gets_a_function_that_looks_up():
    from s3prl_plugin.compat import evaluation

    found = list(_evaluated())
    assert len(found) > 50  # what 0.4.18 has
    assert [module for module, _ in found if not evaluation._evaluates(module)] == []
    downstreams = {module.split(".")[2] for module, text in found if ".downstream." in module and "get_" not in text}
    assert downstreams - {"model"} <= set(setting_names.SETTINGS)


def test_another_package_adds_a_name(monkeypatch):
    monkeypatch.setattr(setting_names, "_added", {})
    settings = {"downstream_expert": {"modelrc": {"select": "Theirs"}}}
    refused(settings, "speech_commands")
    registry.add_name("speech_commands.select", "Theirs", "their_package.heads:Theirs")
    registry.add_name("speech_commands.select", "Theirs", "their_package.heads:Theirs")
    setting_names.check(settings, "speech_commands", UserError)
    refused(settings, "voxceleb1")
    for setting, name, target, told in (
        ("speech_commands.select", "Theirs", "another:Theirs", "wants the same name"),
        ("speech_commands.select", "FrameLevel", "another:Theirs", "belongs to s3prl's speech_commands"),
        ("speech_commands.selct", "Ours", "another:Ours", "did you mean 'speech_commands.select'"),
        ("speech_commands.select", NO_NAME, "another:Ours", "give an identifier"),
        ("speech_commands.select", "Ours", "another", "give an identifier"),
    ):
        with pytest.raises(UserError, match=told):
            registry.add_name(setting, name, target)


SUITE = "suite:\n  tasks:\n    KS:\n      override:\n        downstream_expert:\n          modelrc: {select: %s}\n"


def test_file_and_line_are_named(tmp_path):
    path = tmp_path / "run.yaml"
    for text, downstream, line in (
        (f"runner: {{}}\ndownstream_expert:\n  modelrc:\n    select: {NO_NAME}\n", "speech_commands", 4),
        (SUITE % NO_NAME, "suite", 6),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=rf"run\.yaml, line {line}: .*'1 \+ 1' is not possible; known: FrameLevel"):
            checks.check(config.read(path), downstream, ("cca",), ("KS",))
    path.write_text(SUITE % "UtteranceLevel")
    checks.check(config.read(path), "suite", ("cca",), ("KS",))
    path.write_text(f"runner: {{}}\noptimizer: {{name: {NO_NAME}}}\n")
    with pytest.raises(UserError, match=r"run\.yaml, line 2: optimizer.name"):
        superb.task("KS").settings({"config": path}, None)
