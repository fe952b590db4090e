"""Whose files the package s3prl has: planted packages and what distributions say that they have installed."""

import base64
import hashlib
import sys
from importlib.machinery import PathFinder

import pytest

from s3prl_plugin.commands import doctor
from s3prl_plugin.compat import distributions
from s3prl_plugin.errors import UserError

# file -> its content, as each of the two installs it
STOCK = {"__init__.py": "", "hub.py": "the same in both", "version.txt": "0.4.18\n", "runner.py": "stock"}
FORK = {**STOCK, "version.txt": "2026.05.14\n", "runner.py": "of the fork"}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages, where alone s3prl is looked for; what was found out about it is forgotten."""
    monkeypatch.delitem(sys.modules, "s3prl", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        distributions.importlib.util, "find_spec", lambda name: PathFinder.find_spec(name, [str(tmp_path)])
    )
    distributions.find.cache_clear()
    yield tmp_path
    distributions.find.cache_clear()


def pip_install(site, name, version, files):
    """What pip does: it writes the files, over those that are there, and the list of them."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text("s3prl\n")
    listed = [f"{info.name}/METADATA,,"]
    (site / "s3prl").mkdir(exist_ok=True)
    for path, content in files.items():
        (site / "s3prl" / path).write_text(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
        listed.append(f"s3prl/{path},sha256={digest},{len(content)}")
    (info / "RECORD").write_text("\n".join(listed) + "\n")


def pip_uninstall(site, name, files):
    """What pip does: it removes the files that a distribution listed, whoever has written them since."""
    for path in files:
        (site / "s3prl" / path).unlink(missing_ok=True)
    for path in site.glob(f"{name.replace('-', '_')}-*.dist-info"):
        for file in path.iterdir():
            file.unlink()
        path.rmdir()


def counts(found):
    return [(claim.name, claim.files, claim.unchanged, claim.gone) for claim in found.claims]


def test_stock_alone(site):
    pip_install(site, "s3prl", "0.4.18", STOCK)
    found = distributions.find()
    assert (str(found), found.trouble, found.mend) == ("0.4.18", None, None)
    assert counts(found) == [("s3prl", 4, 4, 0)]
    distributions.check()


def test_the_fork_alone(site):
    pip_install(site, "espnet-s3prl", "2026.5.14", FORK)
    found = distributions.find()
    assert (str(found), found.trouble) == ("2026.05.14 (of espnet-s3prl)", None)
    assert distributions.is_tried(found)
    distributions.check()


def test_one_installed_over_the_other(site, capsys):
    pip_install(site, "espnet-s3prl", "2026.5.14", FORK)
    pip_install(site, "s3prl", "0.4.18", STOCK)
    found = distributions.find()
    assert str(found) == "0.4.18 (of s3prl; espnet-s3prl is installed, too)"
    assert counts(found) == [("s3prl", 4, 4, 0), ("espnet-s3prl", 4, 2, 0)]
    distributions.check()
    distributions._say(None)
    said = capsys.readouterr().err
    assert "belongs to two distributions, s3prl 0.4.18 and espnet-s3prl 2026.5.14" in said
    assert "now those of s3prl;" in said
    assert "pip uninstall -y s3prl espnet-s3prl && pip install --no-deps s3prl==0.4.18" in said
    assert len(said.splitlines()) == 1
    lines = doctor._distribution_lines(doctor._distributions())
    assert lines[-2:] == [f"  {found.trouble}", f"    {found.mend}"]


def test_a_mixture_of_both_is_refused(site):
    pip_install(site, "s3prl", "0.4.18", STOCK)
    pip_install(site, "espnet-s3prl", "2026.5.14", FORK)
    (site / "s3prl" / "runner.py").write_text(STOCK["runner.py"])
    with pytest.raises(UserError, match="a mixture of theirs; pip uninstall -y"):
        distributions.check()


def test_one_that_was_removed_took_the_others_files(site, monkeypatch):
    pip_install(site, "s3prl", "0.4.18", STOCK)
    pip_install(site, "espnet-s3prl", "2026.5.14", FORK)
    pip_uninstall(site, "s3prl", STOCK)
    with pytest.raises(UserError, match=r"4 of the 4 files of espnet-s3prl are gone.*espnet-s3prl==2026\.5\.14"):
        distributions.check()
    (site / "s3prl").rmdir()
    monkeypatch.setattr(sys, "path", [str(site)])
    distributions.find.cache_clear()
    assert distributions.find() is None
    with pytest.raises(UserError, match=r"its files are gone.*--force-reinstall --no-deps espnet-s3prl==2026\.5\.14$"):
        distributions.check()


def test_a_file_that_was_changed_by_hand_is_counted(site):
    pip_install(site, "s3prl", "0.4.18", STOCK)
    (site / "s3prl" / "runner.py").write_text("mended by hand")
    assert str(distributions.find()) == "0.4.18 (1 of 4 files changed)"
    distributions.check()


def test_files_of_no_distribution(site):
    (site / "s3prl").mkdir()
    (site / "s3prl" / "__init__.py").touch()
    (site / "s3prl" / "version.txt").write_text("0.5.0\n")
    assert str(distributions.find()) == "0.5.0 (of no distribution)"


@pytest.mark.parametrize(("version", "older"), [("0.4.17", True), ("0.3.4", True), ("0.4.19", False)])
def test_a_release_that_was_not_tried(site, capsys, version, older):
    pip_install(site, "s3prl", version, {**STOCK, "version.txt": f"{version}\n"})
    if older:
        with pytest.raises(UserError, match=rf"{version} is older than 0\.4\.18.*pip install 's3prl>=0\.4\.18'"):
            distributions.check()
    else:
        distributions.check()
        distributions._say(None)
        assert f"[s3prl] {version} has not been tried" in capsys.readouterr().err


def test_no_s3prl_at_all(site, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(site)])
    assert distributions.find() is None
    with pytest.raises(UserError, match="s3prl is not installed: pip install"):
        distributions.check()


def test_the_one_that_is_installed_here_has_been_tried():
    distributions.find.cache_clear()
    found = distributions.find()
    assert found.trouble is None
    assert distributions.is_tried(found)
