"""What all tests share: where test data lies, one thread per process, and a cache of their own."""

import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("seeded", derandomize=True, deadline=None)  # the same examples in every run
settings.load_profile("seeded")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Generated speech is made once per test process, and never found in or left to the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("S3PRL_PLUGIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
        yield


@pytest.fixture(scope="session")
def shared():
    """The folder of oracles and real data beside the project."""
    folder = Path(os.environ.get("S3PRL_PLUGIN_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no oracles or data at {folder}; S3PRL_PLUGIN_SHARED may name their folder")
    return folder


@pytest.fixture(scope="session")
def timit_sample(request):
    """NLTK's TIMIT sample as a manifest."""
    named = os.environ.get("S3PRL_PLUGIN_TIMIT")
    folder = Path(named) if named else request.getfixturevalue("shared") / "data" / "timit_sample"
    if not (folder / "utterances.tsv").is_file():
        pytest.skip(f"no TIMIT sample at {folder}; S3PRL_PLUGIN_TIMIT may name its folder")
    return folder


@pytest.fixture(scope="session")
def small_checkpoint(tmp_path_factory):
    """A small two-resolution MR-HuBERT with random weights, in fairseq's format."""
    from s3prl_plugin.upstream.mr_hubert import small

    path = tmp_path_factory.mktemp("model") / "small.pt"
    small.write_random_checkpoint(path)
    return path


@pytest.fixture(autouse=True)
def _signals_as_in_a_terminal():
    """A shell's background job, such as these tests may be, is started with Ctrl-C and the hang-up ignored."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if threading.current_thread() is threading.main_thread() and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)
