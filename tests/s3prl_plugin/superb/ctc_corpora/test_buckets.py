"""Buckets as s3prl's `ctc` downstream takes them, and the names under which it imports their readers."""

import subprocess
import sys
from pathlib import Path

import pytest

from s3prl_plugin.superb.ctc_corpora.buckets import Buckets

UTTERANCES = [(Path(f"{name}.flac"), [0] * length) for name, length in (("a", 2), ("b", 5), ("c", 3), ("d", 1))]


def names(items):
    return "".join(path.stem for path, _ in items)


def test_a_bucket_starts_at_its_position_and_the_last_ones_are_full():
    buckets = Buckets(UTTERANCES, 2)
    assert [names(buckets[i]) for i in range(len(buckets))] == ["bc", "ca", "ad", "ad"]


def test_single_utterances_and_buckets_larger_than_the_corpus():
    single = Buckets(UTTERANCES, 1)
    assert [single[i][0].stem for i in range(len(single))] == list("bcad")
    assert names(Buckets(UTTERANCES, 9)[2]) == "bcad"
    assert names(Buckets(UTTERANCES, 4, ascending=True)[0]) == "dacb"


def test_the_order_does_not_depend_on_that_of_the_file_system():
    equal = [(Path(name), [0]) for name in "cab"]
    assert names(Buckets(equal, 3)[0]) == "abc"


LOOK = """
import sys
import s3prl_plugin
s3prl_plugin.register()
import s3prl.downstream.ctc
print("s3prl_plugin.superb.ctc_corpora" in sys.modules)
from s3prl.downstream.ctc.corpus.snips import SnipsDataset
from s3prl.downstream.ctc.corpus.libriphone import LibriPhoneDataset
import s3prl_plugin.superb.ctc_corpora.snips as ours
print(SnipsDataset is ours.SnipsDataset, sys.modules["s3prl.downstream.ctc.corpus.snips"] is ours)
print(LibriPhoneDataset.__module__)
"""


@pytest.mark.parametrize("checkout", [False, True])
def test_they_stand_in_for_s3prls_own_only_where_those_are_missing(tmp_path, checkout):
    """A made-up s3prl: without readers, as pip installs it, or with its own, as in a checkout."""
    package = tmp_path / "s3prl" / "downstream" / "ctc"
    (package / "corpus").mkdir(parents=True)
    for folder in (package.parents[1], package.parent, package, package / "corpus"):
        (folder / "__init__.py").touch()
    (package / "corpus" / "snips.py").write_text("class SnipsDataset: pass\n")
    (package / "corpus" / "libriphone.py").write_text("class LibriPhoneDataset: pass\n")
    if not checkout:
        for file in (package / "corpus").iterdir():
            file.unlink()
        (package / "corpus").rmdir()
    environment_path = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    done = subprocess.run([sys.executable, "-c", environment_path + LOOK], capture_output=True, text=True, check=True)
    loaded, same, module = done.stdout.splitlines()[-3:]
    assert loaded == "False"  # nothing is imported before it is used
    if checkout:
        assert (same, module) == ("False False", "s3prl.downstream.ctc.corpus.libriphone")
    else:
        assert (same, module) == ("True True", "s3prl_plugin.superb.ctc_corpora.libriphone")
