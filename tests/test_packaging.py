"""The wheel against the tree."""

import configparser
import re
import shlex
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAPPED = {"s3prl_plugin": "s3prl_plugin", "upstream": "s3prl_plugin.upstream", "downstream": "s3prl_plugin.downstream"}


def packages_in_tree():
    found = {"s3prl_plugin.configs"}
    for folder, package in MAPPED.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join([package, *inner]))
    return found


def data_files_in_tree():
    """Every file that a user of the wheel needs and that is no code, by its path inside the wheel."""
    found = {"s3prl_plugin/py.typed"}
    for folder in ("s3prl_plugin", "upstream", "downstream", "configs"):
        inside = "s3prl_plugin" if folder == "s3prl_plugin" else f"s3prl_plugin/{folder}"
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".yaml", ".txt", ".html", ".css", ".js"):
                found.add(f"{inside}/{path.relative_to(ROOT / folder).as_posix()}")
    return found


def settings(key):
    """A list of setup.cfg."""
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return [line for line in found["options"][key].split("\n") if line]


def requirement_names(lines):
    return {re.match(r"[\w-]+", line).group() for line in lines}


def test_the_page_on_espnet_names_all_requirements_but_s3prl():
    """For who has espnet-s3prl, which `pip install s3prl_plugin` would write over."""
    said = re.search(
        r"pip install --no-deps s3prl_plugin\npip install ((?:.*\\\n)*.*)",
        (ROOT / "docs" / "which_s3prl.md").read_text(),
    )
    assert requirement_names(shlex.split(said.group(1).replace("\\\n", " "))) == requirement_names(
        settings("install_requires")
    ) - {"s3prl"}


def test_setup_cfg_names_every_package_and_no_other():
    assert settings("packages") == sorted(packages_in_tree())


@pytest.mark.slow
def test_the_wheel_holds_every_package_and_data_file(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in packages_in_tree():
        folder = package.replace(".", "/")
        assert any(name.startswith(f"{folder}/") and name.count("/") == folder.count("/") + 1 for name in names), (
            package
        )
    assert data_files_in_tree() <= names
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    documents = {path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.*")]}
    assert {name for name in documents if "__pycache__" not in name} | {"CITATION.cff", "mkdocs.yml"} <= inside
