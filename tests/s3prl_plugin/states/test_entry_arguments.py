"""What entries do with `-k` and `-g`, against what they open when they are really called."""

import contextlib
import io
import os
import socket
import sys
from pathlib import Path

import pytest
import torch

import s3prl_plugin
from s3prl_plugin import registry
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import entry_arguments, upstream_files

s3prl_plugin.register()
OPENED = None  # while it is a list, the paths that are opened or looked for


def _audit(event, args):
    if OPENED is not None and event in ("open", "os.listdir", "os.scandir") and isinstance(args[0], str | os.PathLike):
        OPENED.append(os.fspath(args[0]))


sys.addaudithook(_audit)


class NoNetworkError(Exception):
    """What a download ends with here; its argument is the address."""


def called(name, folder, **given):
    """What an entry does when it is really called, where nothing can be downloaded.

    Returns:
        The paths that it opens, and the model that it returns or the error that it ends with.
    """
    global OPENED
    import s3prl.hub
    from s3prl.util import download

    def no_download(path, url, *args, **kwargs):
        raise NoNetworkError(url)

    def no_connection(*args, **kwargs):
        raise OSError("no network here")

    OPENED = []
    with (
        replaced(download, _download=no_download, get_dir=lambda: folder),
        replaced(socket.socket, connect=no_connection),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        try:
            ended = getattr(s3prl.hub, name)(**given, refresh=False)
        except Exception as error:  # whatever it makes of the file
            ended = error
        paths, OPENED = set(OPENED), None
    return paths, ended


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A checkpoint that is there, and of which no upstream can be made."""
    path = tmp_path_factory.mktemp("given") / "given.pt"
    torch.save({"nothing": torch.zeros(1)}, path)
    return str(path)


def test_every_entry_of_the_hub_with_a_checkpoint_that_it_would_not_read(given, tmp_path):
    names = registry.upstream_names()
    assert len(names) >= 236
    refused = {name: told for name in names if (told := refusal(name, given)) is not None}
    for name, told in refused.items():
        assert told.startswith(f"{given}: {name} does not read the checkpoint that it is given; ")
        assert "\n" not in told
        paths, _ = called(name, tmp_path, ckpt=given, model_config=None)
        assert given not in paths, f"{name} reads it, and was refused"
    for name in set(names) - set(refused):
        paths, ended = called(name, tmp_path, ckpt=given, model_config=None)
        if isinstance(ended, NoNetworkError) and not name.startswith("mos_"):  # these read it after another model
            assert ended.args == (given,), f"{name} fetches another model than the one that is given"
        assert given in paths or not isinstance(ended, torch.nn.Module), f"{name} leaves it unread"
    # what one would find by hand, in each family
    unread = "hubert_base wavlm fbank discretebert passt_base vggish byol_a_2048 cvhubert customized_upstream apc ast"
    read = "hubert_custom hubert_local wavlm_url mockingjay_local mr_hubert_base hubert_fairseq_local hf_hubert_custom"
    assert set(unread.split()) <= set(refused)
    assert set(read.split()) <= set(names) - set(refused)


def refusal(name, checkpoint):
    """What an entry's checkpoint is refused with; None where it is not."""
    try:
        upstream_files.check(name, checkpoint)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("name", "reads"), [
    ("baseline_local", True), ("stft_mag", True), ("distilhubert", True), ("mr_hubert_local", True),
    ("fbank", False), ("hubert_base", False), ("wavlm_local", False), ("apc_local", False),
])  # fmt: skip
def test_a_configuration_is_read_or_not(name, reads, given, tmp_path):
    assert entry_arguments.uses(name).model_config is reads
    options = tmp_path / "options.yaml"
    options.write_text("{}")
    paths, _ = called(name, tmp_path, ckpt=given, model_config=str(options))
    assert (str(options) in paths) is (reads and name != "distilhubert"), "distilhubert downloads its checkpoint first"


def test_finding_it_out_leaves_nothing_behind(given, tmp_path):
    from s3prl.util import download

    constructor, stock, state = torch.nn.Module.__init__, (download._download, download.get_dir), torch.get_rng_state()
    for name in ("hubert_base", "wavlm_url", "vggish", "mr_hubert_local", "hf_hubert_custom"):
        entry_arguments.uses.__wrapped__(name)
    assert torch.nn.Module.__init__ is constructor
    assert (download._download, download.get_dir) == stock
    assert torch.equal(torch.get_rng_state(), state)
    torch.nn.Linear(2, 2)


class Plain(torch.nn.Module):
    """Networks of other packages, by what they do with their arguments."""

    def __init__(self, ckpt=None, **kwargs):
        super().__init__(**kwargs)
        self.path = Path(ckpt)


class ByKey(torch.nn.Module):
    def __init__(self, **kwargs):
        super().__init__()
        self.path = kwargs["ckpt"]


class Named(torch.nn.Module):
    def __init__(self, ckpt=None, model_config=None, refresh=False):
        super().__init__()
        self.said = f"{ckpt} and {model_config!r}"


class HandsOn(torch.nn.Module):
    def __init__(self, **kwargs):
        super().__init__()
        self.model = Plain(**kwargs)


class Child(ByKey):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)


class Deaf(torch.nn.Module):
    def __init__(self, **kwargs):
        super().__init__()


class DeafChild(Deaf):
    def __init__(self, *args, **kwargs):
        super().__init__(**kwargs)


def opens(ckpt, **kwargs):
    return torch.load(ckpt)


def draws(**kwargs):
    return [1.0]


@pytest.mark.parametrize(("entry", "reads"), [
    (Plain, True), (ByKey, True), (Child, True), (Named, False), (Deaf, False), (DeafChild, False),
    (HandsOn, None), (draws, None),
])  # fmt: skip
def test_entries_of_other_packages(entry, reads, monkeypatch):
    import s3prl.hub

    monkeypatch.setattr(s3prl.hub, "of_another_package", entry, raising=False)
    assert entry_arguments.uses.__wrapped__("of_another_package").ckpt is reads
