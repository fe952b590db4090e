"""The caches of SID and ASV: one corpus never answers for another."""

import sys
import types

import numpy as np
import pytest
import soundfile

import s3prl_plugin
from s3prl_plugin.compat.caches import cache_folder, private_caches

s3prl_plugin.register()


def write_corpus(root, speakers, seconds=(0.5,)):
    """VoxCeleb1's layout: one utterance per duration and speaker, all of them in the training split."""
    rng = np.random.default_rng(0)
    lines = []
    for speaker in speakers:
        for i, duration_s in enumerate(seconds):
            path = root / "dev" / "wav" / speaker / "video" / f"{i:05d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.3 * rng.standard_normal(int(16000 * duration_s)), 16000)
            lines.append(f"1 {speaker}/video/{i:05d}.wav\n")
    (root / "splits.txt").write_text("".join(lines))
    return root


def sid_labels(root):
    """The labels of the training files that SID's dataset finds, and whose they are."""
    from s3prl.downstream.voxceleb1.dataset import SpeakerClassifiDataset

    dataset = SpeakerClassifiDataset("train", root, str(root / "splits.txt"), None)
    assert all(str(path).startswith(str(root)) for path in dataset.dataset)
    return sorted(dataset.label)


def asv_lengths(root, monkeypatch):
    """How many training files of ASV's dataset are longer than a quarter of a second."""
    monkeypatch.setitem(sys.modules, "sox", types.SimpleNamespace(Transformer=None))  # imported there, and not used
    from s3prl.downstream.sv_voxceleb1.dataset import SpeakerVerifi_train

    dataset = SpeakerVerifi_train({"min_sec": 4000}, ["Voxceleb1"], [root / "dev" / "wav"], None, n_jobs=1)
    assert all(str(path).startswith(str(root)) for path in dataset.dataset)
    return len(dataset)


def files(folder):
    """Every file under a folder, with its time of change."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()
    }


def test_sid_keeps_corpora_apart_and_uses_its_cache(tmp_path):
    one = write_corpus(tmp_path / "one", ["id10001", "id10002"])
    two = write_corpus(tmp_path / "two", ["id10003"])
    with private_caches(tmp_path / "run"):
        assert cache_folder() == tmp_path / "run"
        assert [sid_labels(one), sid_labels(two)] == [[0, 1], [2]]
        written = files(tmp_path / "run")
        assert len(written) == 2
        assert [sid_labels(one), sid_labels(two)] == [[0, 1], [2]]
        assert files(tmp_path / "run") == written
        assert sid_labels(write_corpus(tmp_path / "three", ["id10003"])) == [2]  # the same names elsewhere
        write_corpus(tmp_path / "two", ["id10003", "id10004"])  # another corpus in the same place
        assert sid_labels(two) == [2, 3]
    assert cache_folder() != tmp_path / "run"


def test_runs_do_not_share(tmp_path):
    corpus = write_corpus(tmp_path / "corpus", ["id10001"])
    for run in ("first", "second"):
        with private_caches(tmp_path / run):
            sid_labels(corpus)
    assert list(files(tmp_path / "first")) == list(files(tmp_path / "second"))


def test_asv_keeps_corpora_apart_and_uses_its_cache(tmp_path, monkeypatch):
    one = write_corpus(tmp_path / "one", ["id10001"], seconds=(0.2, 0.5, 0.6))
    two = write_corpus(tmp_path / "two", ["id10001"], seconds=(0.5,))
    with private_caches(tmp_path / "run"):
        assert [asv_lengths(one, monkeypatch), asv_lengths(two, monkeypatch)] == [2, 1]
        written = files(tmp_path / "run")
        assert len(written) == 2
        assert asv_lengths(one, monkeypatch) == 2
        assert files(tmp_path / "run") == written
        write_corpus(tmp_path / "two", ["id10001"], seconds=(0.5, 0.7))
        assert asv_lengths(two, monkeypatch) == 2


def test_ranks_do_not_share(tmp_path, monkeypatch):
    corpus = write_corpus(tmp_path / "corpus", ["id10001"])
    with private_caches(tmp_path / "run"):
        for rank in ("0", "1"):
            monkeypatch.setenv("RANK", rank)
            sid_labels(corpus)
    assert len(files(tmp_path / "run")) == 2


@pytest.mark.parametrize("named", [True, False])
def test_the_user_s_cache_is_the_default(tmp_path, monkeypatch, named):
    monkeypatch.delenv("S3PRL_PLUGIN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    if named:
        monkeypatch.setenv("S3PRL_PLUGIN_CACHE", str(tmp_path / "named"))
    assert cache_folder() == (tmp_path / "named" if named else tmp_path / ".cache" / "s3prl_plugin")


def test_a_cache_that_was_not_finished_is_made_anew(tmp_path, monkeypatch):
    from s3prl.downstream.voxceleb1 import dataset

    one = write_corpus(tmp_path / "one", ["id10001", "id10002"])

    def torn(content, file):
        file.write(b"half a")
        raise KeyboardInterrupt  # at the moment at which a kill would leave it so

    with private_caches(tmp_path / "run"):
        with monkeypatch.context() as patch:
            patch.setattr(dataset.pickle, "dump", torn)
            with pytest.raises(KeyboardInterrupt):
                sid_labels(one)
        assert files(tmp_path / "run") == {}
        assert sid_labels(one) == [0, 1]
        assert [name.rpartition("/")[2] for name in files(tmp_path / "run")] == ["train.pkl"]


def test_a_cache_that_is_no_list_of_this_corpus_is_made_anew(tmp_path, monkeypatch):
    import json
    import pickle

    one = write_corpus(tmp_path / "one", ["id10001", "id10002"])
    with private_caches(tmp_path / "run"):
        sid_labels(one)
        (cache,) = (tmp_path / "run").rglob("train.pkl")
        right = json.loads(cache.read_bytes())
        assert all(path.startswith(str(one)) for path in right)
        outside = str(tmp_path / "two" / "dev" / "wav" / "id10009" / "video" / "00000.wav")
        for wrong in (
            pickle.dumps(right),
            json.dumps([*right, outside]).encode(),
            json.dumps([f"{one}/../{outside}"]).encode(),
            json.dumps({"a": 1}).encode(),
            json.dumps([1]).encode(),
            b"",
        ):
            cache.write_bytes(wrong)
            assert sid_labels(one) == [0, 1]
            assert json.loads(cache.read_bytes()) == right


def test_lengths_that_are_no_lengths_are_measured_anew(tmp_path, monkeypatch):
    import json
    import pickle

    one = write_corpus(tmp_path / "one", ["id10001"], seconds=(0.2, 0.5))
    with private_caches(tmp_path / "run"):
        assert asv_lengths(one, monkeypatch) == 1
        (cache,) = (tmp_path / "run").rglob("Voxceleb1_length.pt")
        tags, lengths = right = json.loads(cache.read_bytes())
        for wrong in (
            pickle.dumps(right),
            json.dumps([tags]).encode(),
            json.dumps([tags, lengths[:1]]).encode(),
            json.dumps([[["..", "..", "a.wav"]] * 2, lengths]).encode(),
            json.dumps([tags, ["long", "long"]]).encode(),
        ):
            cache.write_bytes(wrong)
            assert asv_lengths(one, monkeypatch) == 1
            assert json.loads(cache.read_bytes()) == right
