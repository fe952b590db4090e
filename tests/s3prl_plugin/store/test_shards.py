"""The files of a store: what is written comes back, and whatever is damaged, foreign or half written never does."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap

import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.store import shards as module
from s3prl_plugin.store.shards import NoRoom, Shards

IDENTITY = {"upstream": "u", "weights": "0123"}


def tensors(*numbers):
    return {f"key{i}": torch.arange(100, dtype=torch.float32) + i for i in numbers}


def opened(root, identity=IDENTITY, **options):
    return Shards(root, "u", identity, **options)


def files(root):
    return sorted(path for path in root.glob("*/*") if path.name.startswith("shard-"))


@pytest.fixture
def root(tmp_path):
    """A store with two shards."""
    shards = opened(tmp_path / "store")
    shards.write(tensors(0, 1))
    shards.write(tensors(2))
    return tmp_path / "store"


def holds(shards, *numbers):
    """Whether exactly these of the first ten keys come back, as they were."""
    found = {f"key{i}": shards.get(f"key{i}") for i in range(10)}
    right = all(torch.equal(found[key], tensor) for key, tensor in tensors(*numbers).items() if found[key] is not None)
    return right and {key for key, tensor in found.items() if tensor is not None} == set(tensors(*numbers))


def test_what_is_written_comes_back_here_and_in_another_process(root):
    shards = opened(root)
    assert holds(shards, 0, 1, 2)
    assert "key2" in shards
    assert "key3" not in shards
    assert shards.used_bytes() == sum(path.stat().st_size for path in files(root))


def test_nothing_is_written_twice(root):
    shards = opened(root)
    assert shards.write(tensors(0, 1, 2)) == 0
    assert len(files(root)) == 2


def shard_of(root, key):
    from safetensors import safe_open

    for path in files(root):
        with safe_open(path, "pt") as reader:
            if key in reader.keys():  # noqa: SIM118 (no mapping)
                return path
    return None


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "header", "gone", "swapped"])
def test_a_damaged_shard_is_told_and_rebuilt(root, capsys, damage):
    path = shard_of(root, "key0")
    content = path.read_bytes()
    middle = len(content) // 2
    changed = {
        "cut": content[:middle],
        "empty": b"",
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "header": b"\xff" * 8 + content[8:],
        "swapped": shard_of(root, "key2").read_bytes(),
    }
    path.unlink() if damage == "gone" else path.write_bytes(changed[damage])
    shards = opened(root)
    assert holds(shards, 2)
    assert path.name in capsys.readouterr().err
    assert not path.exists()
    shards.write(tensors(0, 1))
    assert holds(shards, 0, 1, 2)
    assert holds(opened(root), 0, 1, 2)
    assert capsys.readouterr().err == ""


def test_damage_that_comes_while_others_use_the_store_is_seen_by_the_next(root):
    """A process that has read a shard keeps what it has read; the next one compares the checksum."""
    first = opened(root)
    assert holds(first, 0, 1, 2)
    path = shard_of(root, "key0")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.write_bytes(content)
    assert holds(opened(root), 2)
    first.write(tensors(5))  # it learns then that the shard is gone
    assert "key0" not in first
    assert holds(first, 2, 5)


@pytest.mark.parametrize("text", ["{", "[]", '{"identity": 3}', '{"shards": {}}', ""])
def test_an_index_that_cannot_be_read_is_rebuilt(root, capsys, text):
    (index,) = root.glob("*/index.json")
    index.write_text(text)
    shards = opened(root)
    assert holds(shards)
    assert "index.json cannot be used" in capsys.readouterr().err
    assert files(root) == []  # what no index knows is no use to anyone
    shards.write(tensors(4))
    assert holds(opened(root), 4)


def test_an_index_names_no_files_elsewhere(root, tmp_path):
    outside = shard_of(root, "key0")
    (tmp_path / "outside.safetensors").write_bytes(outside.read_bytes())
    (index,) = root.glob("*/index.json")
    content = json.loads(index.read_text())
    content["shards"]["../../outside.safetensors"] = content["shards"].pop(outside.name)
    index.write_text(json.dumps(content))
    assert holds(opened(root))
    assert (tmp_path / "outside.safetensors").exists()


@pytest.mark.parametrize("changed", [{"weights": "9999"}, {"versions": {"torch": "3"}}, {"dtype": "bfloat16"}])
def test_another_upstreams_features_are_not_seen(root, changed):
    other = opened(root, IDENTITY | changed)
    assert holds(other)
    other.write({"key0": torch.zeros(3)})
    assert torch.equal(other.get("key0"), torch.zeros(3))
    assert holds(opened(root), 0, 1, 2)


def test_a_shard_or_a_whole_folder_of_another_upstream_is_refused(root, capsys):
    other = opened(root, IDENTITY | {"weights": "9999"})
    for path in opened(root).folder.iterdir():
        (other.folder / path.name).write_bytes(path.read_bytes())
    again = opened(root, IDENTITY | {"weights": "9999"})  # shards and index of the first upstream
    assert holds(again)
    assert "belongs to other features" in capsys.readouterr().err
    content = json.loads((opened(root).folder / "index.json").read_text())
    content["identity"] = json.loads(json.dumps({"format": module.FORMAT, **IDENTITY, "weights": "9999"}))
    for path in files(root):
        if path.parent == opened(root).folder:
            (other.folder / path.name).write_bytes(path.read_bytes())
    (other.folder / "index.json").write_text(json.dumps(content))  # a forged index: the shards themselves tell
    assert holds(opened(root, IDENTITY | {"weights": "9999"}))
    assert "another upstream's" in capsys.readouterr().err


def test_another_format_is_rebuilt(root, monkeypatch):
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    assert holds(opened(root))


def test_the_budget_is_for_all_upstreams_in_the_folder(root):
    used = opened(root).used_bytes()
    other = opened(root, IDENTITY | {"weights": "9999"}, budget_bytes=used + 1000)
    assert other.write(tensors(0)) <= 1000
    with pytest.raises(NoRoom):
        other.write(tensors(1))
    assert holds(other, 0)


@pytest.mark.parametrize("failing", ["shard-", "index.json"])
def test_a_full_disk_leaves_nothing_broken(root, monkeypatch, failing):
    shards = opened(root)
    before = {path: path.read_bytes() for path in shards.folder.iterdir()}
    write = module.replace_file

    def replace_file(path, content):
        if path.name.startswith(failing):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    monkeypatch.setattr(module, "replace_file", replace_file)
    with pytest.raises(OSError, match="No space left"):
        shards.write(tensors(7))
    assert {path: path.read_bytes() for path in shards.folder.iterdir()} == before
    assert holds(shards, 0, 1, 2)


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from s3prl_plugin.store import shards
kill_at = int(sys.argv[2])
calls = 0
def dying(function):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call
store = shards.Shards(Path(sys.argv[1]), "u", {"upstream": "u", "weights": "0123"})
for name in ("replace", "fsync"):
    setattr(os, name, dying(getattr(os, name)))
store.write({"key7": torch.arange(100.0) + 7})
print("written")
"""


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", [1, 2, 3, 4, 5])
def test_a_process_that_is_killed_while_it_writes_breaks_nothing(root, kill_at):
    """Killed before the shard is on disk, before its renaming, before the index is, and before its renaming."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(root), str(kill_at)], capture_output=True, text=True
    )
    assert done.returncode == (-signal.SIGKILL if kill_at < 5 else 0), done.stderr
    shards = opened(root)
    assert holds(shards, 0, 1, 2, 7) if kill_at == 5 else holds(shards, 0, 1, 2)
    assert {path.name for path in shards.folder.iterdir()} == {"index.json", *(path.name for path in files(root))}
    shards.write(tensors(7))
    assert holds(opened(root), 0, 1, 2, 7)


def _write_some(root, first):
    shards = opened(root)
    for i in range(first, first + 5):
        shards.write(tensors(i, i % 3))


def test_two_processes_share_a_store(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_some, args=(tmp_path / "store", first)) for first in (0, 5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert holds(opened(tmp_path / "store"), *range(10))
    held = json.loads(next((tmp_path / "store").glob("*/index.json")).read_text())["shards"]
    assert len(held) == len(files(tmp_path / "store")) <= 10


def test_one_process_sees_what_another_has_written_when_it_writes_itself(root):
    first, second = opened(root), opened(root)
    second.write(tensors(8))
    assert "key8" not in first
    first.write(tensors(9))
    assert holds(first, 0, 1, 2, 8, 9)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"no store can be kept there.*name another folder"):
        opened(tmp_path / "file")
