"""The loader under damage and malice: always a value or a one-line error, soon, in little memory."""

import io
import pickle
import resource
import time
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load as checkpoint
from s3prl_plugin.upstream.mr_hubert.checkpoint import torch_file

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Bytes(bytes):
    """Bytes that a report does not print."""

    def __repr__(self):
        return f"<{len(self)} bytes>"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of a small checkpoint."""
    config = small.small_config(dim=16, layers=(1, 1, 1))
    return Bytes(small.write_random_checkpoint(tmp_path_factory.mktemp("good") / "c.pt", config).read_bytes())


@pytest.fixture
def attempt(tmp_path):
    """Load bytes as a checkpoint; the refusal, or None when they were accepted."""

    def load(data):
        path = tmp_path / "fuzzed.pt"
        path.write_bytes(data)
        memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        try:
            checkpoint.load(path).network()
            message = None
        except UserError as error:
            message = str(error)
            assert "\n" not in message
            assert message.startswith(str(path))
            assert len(message) < 600
        assert time.process_time() - start < 20  # no file keeps the processor busy
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000  # kB
        return message

    return load


def repacked(data, change):
    """The archive with its pickle changed and every checksum right again."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            content = source.read(entry)
            archive.writestr(entry.filename, change(content) if entry.filename.endswith("data.pkl") else content)
    return target.getvalue()


def test_good_bytes_load(good, attempt):
    assert attempt(good) is None


@FUZZ
@given(cut=st.floats(0, 1, exclude_max=True))
def test_truncated(good, attempt, cut):
    assert attempt(good[: int(cut * len(good))]) is not None


@FUZZ
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_bit_flipped(good, attempt, place, bit):
    data = bytearray(good)
    data[int(place * len(data))] ^= 1 << bit
    attempt(bytes(data))  # an error, or a bit that says nothing (padding, a date)


@FUZZ
@given(place=st.floats(0, 1, exclude_max=True), patch=st.binary(min_size=1, max_size=20))
def test_overwritten_inside_the_pickle(good, attempt, place, patch):
    def change(pickled):
        start = int(place * len(pickled))
        return pickled[:start] + patch + pickled[start + len(patch) :]

    attempt(repacked(good, change))


@FUZZ
@given(data=st.binary(max_size=300), front=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x04\x95"]))
def test_arbitrary_bytes(attempt, data, front):
    assert attempt(front + data) is not None


KEYS = st.sampled_from(["args", "cfg", "model", "optimizer_history", "model_cfg", "task_cfg", "model_weight", "extra"])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(torch.zeros(2, 3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@FUZZ
@given(changes=st.dictionaries(KEYS, PLAIN, min_size=1, max_size=3))
def test_entries_of_any_kind(good, attempt, changes):
    content = torch.load(io.BytesIO(good), weights_only=True)
    buffer = io.BytesIO()
    torch.save(content | changes, buffer)
    attempt(buffer.getvalue())


NUMBERS = st.integers(-(2**70), 2**70) | st.just(10**400) | st.floats()


@FUZZ
@given(data=st.data())
def test_configurations_of_any_kind(good, attempt, data):
    content = torch.load(io.BytesIO(good), weights_only=True)
    for part in ("model", "task"):
        fields = st.sampled_from(sorted(content["cfg"][part]))
        content["cfg"][part].update(data.draw(st.dictionaries(fields, PLAIN | NUMBERS, max_size=2)))
    buffer = io.BytesIO()
    torch.save(content, buffer)
    attempt(buffer.getvalue())


NAMES = ["operator add", "builtins len", "builtins sorted", "torch zeros", "numpy.core.multiarray zeros"]
NAMES += ["collections Counter", "builtins bytearray", "torch.nn Linear", "fairseq.data.dictionary Other"]


@pytest.mark.parametrize("name", NAMES)
def test_every_other_global_is_named_and_refused(good, attempt, name):
    other = b"\x80\x02c" + name.replace(" ", "\n", 1).encode() + b"\nX\x04\x00\x00\x00true\x85R."
    message = attempt(repacked(good, lambda pickled: other))
    assert name.replace(" ", ".", 1) in message


def test_a_global_hidden_behind_the_memo_is_refused(good, attempt):
    # STACK_GLOBAL takes its two strings from the memo, not from the opcodes before it.
    pickled = b"\x80\x04\x8c\x08builtins\x94\x8c\x03len\x940h\x00h\x01\x93\x8c\x04true\x85R."
    assert attempt(repacked(good, lambda _: pickled)) is not None


def test_known_classes_become_inert(tmp_path):
    # Written by hand: the classes need not exist to be named.
    class Dictionary:
        pass

    Dictionary.__module__, Dictionary.__qualname__ = "fairseq.data.dictionary", "Dictionary"
    pickled = (
        b"\x80\x02}q\x00X\x01\x00\x00\x00dcfairseq.data.dictionary\nDictionary\n)\x81}"
        b"X\x07\x00\x00\x00symbolsX\x04\x00\x00\x00fakesbs."
    )
    assert b"fairseq" in pickled
    path = tmp_path / "c.pt"
    torch.save({}, path)
    path.write_bytes(repacked(path.read_bytes(), lambda _: pickled))
    found = torch_file.read(path)["d"]
    assert type(found) is torch_file.Inert
    assert not vars(found)


def test_a_compressed_archive_is_refused_unread(tmp_path, attempt):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}) + b"\0" * 300_000_000)
    assert len(target.getvalue()) < 1_000_000
    assert "compressed" in attempt(target.getvalue())


def test_a_pickle_of_hundreds_of_megabytes_is_refused_unread(tmp_path):
    path = tmp_path / "large.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"]" * (20 << 20) + b".")
    with pytest.raises(UserError, match="20 MB"):
        torch_file.read(path)


def test_many_opcodes_end_within_seconds(tmp_path):
    path = tmp_path / "deep.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"]" * (2 << 20) + b"a" * ((2 << 20) - 1) + b".")
    start = time.process_time()
    with pytest.raises(UserError):
        checkpoint.load(Path(path))
    assert time.process_time() - start < 30
