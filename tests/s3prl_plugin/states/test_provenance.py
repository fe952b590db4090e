"""Which package s3prl it is."""

import base64
import hashlib
import sys

import pytest

from s3prl_plugin.states import provenance


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package s3prl, and what a distribution says that it has installed; before all others on the path."""
    monkeypatch.delitem(sys.modules, "s3prl", raising=False)
    monkeypatch.syspath_prepend(tmp_path)

    def install(distribution, said, there=None):
        if there is not None:
            (tmp_path / "s3prl").mkdir(exist_ok=True)
            (tmp_path / "s3prl" / "__init__.py").touch()
            (tmp_path / "s3prl" / "version.txt").write_text("2026.1\n")
            (tmp_path / "s3prl" / "hub.py").write_text(there)
        info = tmp_path / f"{distribution.replace('-', '_')}-9.9.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 9.9\n")
        (info / "top_level.txt").write_text("s3prl\n")
        digest = base64.urlsafe_b64encode(hashlib.sha256(said.encode()).digest()).rstrip(b"=").decode()
        (info / "RECORD").write_text(f"s3prl/hub.py,sha256={digest},{len(said)}\n")

    return install


def test_s3prl_itself(monkeypatch):
    assert provenance.s3prl_version() == "0.4.18"
    assert provenance.versions()["s3prl"] == "0.4.18"


def test_the_package_of_a_fork_beside_that_of_s3prl(installed):
    installed("espnet-s3prl", said="of the fork", there="of the fork")
    assert provenance.s3prl_version() == "2026.1 (of espnet-s3prl; s3prl is installed, too)"


def test_a_fork_that_was_written_over(installed):
    installed("espnet-s3prl", said="of the fork")
    assert provenance.s3prl_version() == "0.4.18 (of s3prl; espnet-s3prl is installed, too)"


def test_a_package_that_no_distribution_owns_as_it_is(installed):
    installed("espnet-s3prl", said="of the fork", there="changed by hand")
    assert provenance.s3prl_version() == "2026.1 (of espnet-s3prl or s3prl)"


def test_no_s3prl_at_all(monkeypatch):
    monkeypatch.delitem(sys.modules, "s3prl", raising=False)
    monkeypatch.setattr(provenance.importlib.util, "find_spec", lambda name: None)
    assert provenance.s3prl_version() is None
