"""What s3prl's downstreams need: the table against their own import statements."""

import ast
import configparser
import importlib.metadata
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from s3prl_plugin import superb
from s3prl_plugin.compat import packages
from s3prl_plugin.errors import UserError

# what s3prl and this plugin bring themselves
BROUGHT = {"torch", "torchaudio", "numpy", "scipy", "sklearn", "joblib", "tqdm", "yaml", "s3prl"}
# scripts in the downstreams' folders that their experts do not import
SCRIPTS = {"IEMOCAP_preprocess.py", "preprocess.py", "make_rttm.py"}


def imported(folder):
    """The foreign modules that the files of a downstream import when they are imported."""
    names = set()
    for path in folder.glob("*.py"):
        if path.name in SCRIPTS:
            continue
        for statement in ast.parse(path.read_text()).body:
            if isinstance(statement, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in statement.names}
            elif isinstance(statement, ast.ImportFrom) and statement.level == 0:
                names.add(statement.module.partition(".")[0])
    return names - BROUGHT - set(sys.stdlib_module_names)


@pytest.mark.parametrize(("task", "downstream", "needed"), packages.TASKS)
def test_the_table_says_what_the_source_says(task, downstream, needed):
    root = Path(importlib.util.find_spec("s3prl").submodule_search_locations[0]) / "downstream"
    besides = {"pandas"} if task == "SF" else set()  # its configuration asks for SpecAugment
    assert {package.module for package in needed} == imported(root / downstream) | besides


def test_one_command_installs_all_that_is_missing():
    absent = packages.Package("no_such_module_a", "a"), packages.Package("no_such_module_b", "b>=2")
    (found,) = packages.missing((absent[0], packages.Package("json", "json"), absent[1]))
    assert (found.what, found.command) == ("no_such_module_a, no_such_module_b", "pip install a 'b>=2'")
    assert packages.missing((packages.Package("json", "json"),)) == []


@pytest.mark.parametrize(("installed", "missing"), [("1.3.0", True), ("1.9.1", False), ("1.10", False), ("2.0", False)])
def test_an_old_version_counts_as_missing(monkeypatch, installed, missing):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: {"dtw-python": installed}[name])
    assert packages.Package("json", "dtw-python>=1.9", (1, 9)).missing == missing


def test_a_downstream_is_refused_with_the_command(monkeypatch):
    table = (("KS", "speech_commands", (packages.Package("no_such_module", "catalyst"),)),)
    monkeypatch.setattr(packages, "TASKS", table)
    with pytest.raises(UserError, match="-d speech_commands needs no_such_module: pip install catalyst"):
        packages.check("speech_commands")
    packages.check("voxceleb1")  # not in this table: nothing to say


def test_a_task_is_refused_with_the_command(monkeypatch):
    table = (("SF", "ctc", (packages.Package("no_such_module", "thing>=2"),)), ("PR", "ctc", ()))
    monkeypatch.setattr(packages, "TASKS", table)
    with pytest.raises(UserError, match=r"SF needs no_such_module, which is not installed: pip install 'thing>=2'"):
        packages.check_task("SF")
    packages.check_task("PR")


def test_a_package_that_is_stood_in_for_is_not_missing():
    assert not packages.Package("no_such_module", "thing", stood_in=True).missing


def test_the_extra_superb_is_what_the_ten_tasks_lack():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).resolve().parents[3] / "setup.cfg")

    def distributions(lines):
        return {re.match(r"[\w-]+", line)[0] for line in lines.split("\n") if line and not line.startswith("#")}

    ten = set(superb.tasks())
    needed = {p.requirement for task, _, ps in packages.TASKS if task in ten for p in ps if not p.stood_in}
    brought = distributions(setup["options"]["install_requires"])
    assert (
        distributions(setup["options.extras_require"]["superb"])
        == {re.match(r"[\w-]+", name)[0] for name in needed} - brought
    )
    assert ten <= {task for task, _, _ in packages.TASKS}
