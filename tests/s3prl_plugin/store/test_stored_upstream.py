"""An upstream behind a store, against the upstream itself; and what is kept, read and not kept."""

import errno
import os

import foreign_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.store import kept as kept_module
from s3prl_plugin.store.kept import Kept
from s3prl_plugin.store.parts import parts_of
from s3prl_plugin.store.repeats import Repeats
from s3prl_plugin.store.shards import Shards
from s3prl_plugin.store.upstream import StoredUpstream
from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert

LENGTHS = (9000, 16000, 12345)


def noise(*lengths, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(n, generator=draw) for n in lengths]


@pytest.fixture(scope="module")
def ours(small_checkpoint):
    return UpstreamExpert(small_checkpoint).eval()


class Downstream(torch.nn.Module):
    """A downstream whose loaders give what they are told to."""

    def __init__(self):
        super().__init__()
        self.batches = {}

    def get_dataloader(self, split):
        return [zip(*batch, strict=True) for batch in self.batches[split]]


class Task:
    """A task that reads batches through a store."""

    def __init__(self, upstream, root, key="hidden_states", layer=None, dtype="float32", crop=None, budget=None):
        self.upstream = upstream
        self.key = key
        shards = Shards(root, "u", {"upstream": "u", "dtype": dtype}, budget)
        self.kept = Kept(shards, getattr(torch, dtype), budget)
        parts = parts_of(upstream, key, layer, "cpu")
        self.stored = StoredUpstream(upstream, parts, self.kept, Repeats(crop)).eval()
        self.downstream = Downstream()
        self.stored.watch(self.downstream)
        self.computed = 0
        compute = parts.compute

        def counted(waveforms):
            self.computed += len(waveforms)
            return compute(waveforms)

        parts.compute = counted

    def read(self, waveforms, names=None, split="train"):
        """The entry for one batch, as a task's runner gets it."""
        names = names or [None] * len(waveforms)
        self.downstream.batches[split] = [list(zip(waveforms, range(len(names)), names, strict=True))]
        (entry,) = [
            self.stored([torch.as_tensor(w) for w in wavs])[self.key]
            for wavs, *_ in self.downstream.get_dataloader(split)
        ]
        return [entry] if isinstance(entry, torch.Tensor) else entry

    @property
    def counts(self):
        counts = self.kept.counts
        return {"read": counts.read, "kept": counts.kept, "crops": counts.crops, "no_room": counts.no_room}


@pytest.mark.parametrize(
    ("key", "layer"),
    [("hidden_states", None), ("hidden_states", 4), ("hidden_states_40ms", None), ("enc0.layer1", None)],
)
@pytest.mark.parametrize("again", ["computed", "in memory", "on disk", "another task"])
def test_in_float32_features_are_the_upstreams_own(ours, tmp_path, key, layer, again):
    waveforms = noise(*LENGTHS)
    direct, *alone = (entry_of(ours, wavs, key, layer) for wavs in (waveforms, *([wav] for wav in waveforms)))
    task = Task(ours, tmp_path, key, layer)
    found = task.read(waveforms)
    if again != "computed":
        if again != "in memory":
            task.kept.flush()
        task = Task(ours, tmp_path, key, layer) if again == "another task" else task
        found = task.read(waveforms)
        assert task.computed == (0 if again == "another task" else 3)
    for i, (x, y) in enumerate(zip(found, direct, strict=True)):
        torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-5)  # matrices of other sizes are summed in another order
        for row, one in zip(x, alone, strict=True):
            assert torch.equal(row[: one[i].shape[1]], one[i][0])


def entry_of(upstream, waveforms, key, layer=None):
    """An upstream's own entry, as a list."""
    with torch.no_grad():
        entry = upstream(waveforms)[key]
    entry = [entry] if isinstance(entry, torch.Tensor) else entry
    return entry if layer is None else [entry[layer]]


@pytest.mark.parametrize("crop", [None, 12345])
def test_what_was_kept_before_changes_no_bit_of_the_others(ours, tmp_path, crop):
    waveforms = noise(12345, 9000, 16000, 12345)  # with `crop`, the first and the last one are never kept
    names = [("train", str(i)) for i in range(4)]
    everything = Task(ours, tmp_path / "empty", crop=crop).read(waveforms, names)
    for before in ([], [1], [0, 2], [1, 2, 3]):
        task = Task(ours, tmp_path / f"after {before}", crop=crop)
        if before:
            task.read([waveforms[i] for i in before], [names[i] for i in before])
        for x, y in zip(task.read(waveforms, names), everything, strict=True):
            assert torch.equal(x, y)


def test_what_is_kept_does_not_know_the_tasks_autocast(ours, tmp_path):
    waveforms = noise(*LENGTHS)
    plain = Task(ours, tmp_path / "plain").read(waveforms)
    with torch.autocast("cpu", torch.bfloat16):
        cast = Task(ours, tmp_path / "cast").read(waveforms)
        alone = ours(waveforms)["hidden_states"]
    for one, other in zip(plain, cast, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert any(not torch.equal(a.float(), b) for a, b in zip(alone, plain, strict=True)), "autocast would be seen"


@pytest.mark.parametrize(("dtype", "error"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_a_smaller_dtype_rounds_and_does_so_from_the_first_time_on(ours, tmp_path, dtype, error):
    waveforms = noise(9000, 9000)
    direct = [
        torch.cat(pair) for pair in zip(*(entry_of(ours, [wav], "hidden_states") for wav in waveforms), strict=True)
    ]
    task = Task(ours, tmp_path, dtype=dtype)
    first, second = task.read(waveforms), task.read(waveforms)
    for x, y, z in zip(first, direct, second, strict=True):
        assert torch.equal(x, z)
        assert ((x - y).abs() <= error * y.abs() + 1e-7).all()
        assert not torch.equal(x, y)


def test_values_beyond_float16_stay_as_they_are(tmp_path):
    class Loud(torch.nn.Module):
        def forward(self, wavs):
            return {"hidden_states": [torch.full((1, 3, 2), value) for value in (1e6, 0.1)]}

    task = Task(Loud(), tmp_path, dtype="float16")
    task.read(noise(500))
    task.kept.flush()
    large, small = task.read(noise(500))
    assert (large == 1e6).all()
    assert (small == torch.tensor(0.1).half().item()).all()


def test_only_what_is_missing_is_computed_and_an_utterance_once_in_a_batch(ours, tmp_path):
    a, b, c = noise(*LENGTHS)
    task = Task(ours, tmp_path)
    task.read([a, b])
    task.read([b, c, c, a])
    assert task.computed == 3
    assert task.counts == {"read": 3, "kept": 3, "crops": 0, "no_room": 0}


def test_a_waveform_is_known_by_its_samples(ours, tmp_path):
    (a,) = noise(9000)
    task = Task(ours, tmp_path)
    task.read([a], ["one.wav"])
    task.read([a.clone().numpy()], ["other.wav"])
    assert task.computed == 1
    changed = a.clone()
    changed[17] += 1e-6
    task.read([changed])
    task.read([a[:-1]])
    assert task.computed == 3


def test_one_tap_is_read_from_what_all_taps_left(ours, tmp_path):
    waveforms = noise(9000)
    every, one = Task(ours, tmp_path), Task(ours, tmp_path, layer=2)
    every.read(waveforms)
    every.kept.flush()
    one = Task(ours, tmp_path, layer=2)
    with torch.no_grad():
        assert torch.equal(one.read(waveforms)[0], ours(waveforms)["hidden_states"][2])
    assert one.computed == 0


def test_a_tap_of_40_ms_is_kept_at_40_ms(ours, tmp_path):
    waveforms = noise(16000)
    fine, coarse = (Task(ours, tmp_path / name, layer=layer) for name, layer in (("fine", 2), ("coarse", 4)))
    sizes = []
    for task in (fine, coarse):
        shape = task.read(waveforms)[0].shape
        assert shape == (1, 49, 64)
        (tensor,) = task.kept._pending.values()
        sizes.append(tensor.nbytes)
    assert sizes == [49 * 64 * 4, 25 * 64 * 4]


def test_the_second_of_noise_that_a_featurizer_begins_with_is_forgotten(ours, tmp_path):
    s3prl_plugin.register()
    from s3prl.upstream.interfaces import Featurizer

    task = Task(ours, tmp_path, layer=3)
    featurizer = Featurizer(task.stored, "hidden_states", "cpu", 3)
    assert (featurizer.output_dim, featurizer.downsample_rate) == (64, 320)
    assert task.computed == 1
    assert set(task.counts.values()) == {0}
    assert not task.kept._pending


def test_crops_of_a_fixed_length_are_computed_counted_and_not_kept(ours, tmp_path):
    task = Task(ours, tmp_path, crop=9000)
    for epoch in range(3):
        task.read([*noise(9000, seed=epoch), *noise(8000)], ["long.wav", "short.wav"])
    assert task.counts == {"read": 2, "kept": 1, "crops": 3, "no_room": 0}
    task.read(noise(9000, seed=7), ["test.wav"], split="dev")  # nothing is cropped there
    assert task.counts == {"read": 2, "kept": 2, "crops": 3, "no_room": 0}


def test_a_name_that_comes_with_other_samples_is_a_random_crop(ours, tmp_path):
    """The silence class of KS: crops of a few files, as long as all keywords."""
    task = Task(ours, tmp_path)
    word = noise(16000, seed=99)
    for draw in range(5):
        task.read([*word, *noise(16000, seed=draw)], ["word.wav", "background.wav"])
    assert task.counts == {"read": 4, "kept": 2, "crops": 4, "no_room": 0}
    task.read(noise(16000, seed=3), ["background.wav"])  # a crop that comes again, as those of an evaluation do
    task.read(noise(16000, seed=3), ["background.wav"])
    assert task.counts == {"read": 5, "kept": 3, "crops": 4, "no_room": 0}


def test_without_names_everything_may_come_again(ours, tmp_path):
    task = Task(ours, tmp_path)
    for seed in range(3):
        task.read(noise(9000, seed=seed))
    assert task.counts == {"read": 0, "kept": 3, "crops": 0, "no_room": 0}


def test_beyond_the_budget_nothing_is_written_and_that_is_said_once(ours, tmp_path, capsys):
    budget = 60_000
    task = Task(ours, tmp_path, budget=budget)  # an utterance of 9000 samples takes some 52 kB
    for seed in range(4):
        task.read(noise(9000, seed=seed))
    task.kept.flush()
    assert task.counts == {"read": 0, "kept": 1, "crops": 0, "no_room": 3}
    assert sum(path.stat().st_size for path in tmp_path.glob("*/shard*")) <= budget
    assert capsys.readouterr().err.count("nothing more is kept") == 1
    task.read(noise(9000, seed=0))
    assert task.counts["read"] == 1  # what there is, is read


def test_a_full_disk_ends_the_keeping_and_not_the_run(ours, tmp_path, capsys, monkeypatch):
    task = Task(ours, tmp_path)
    task.read(noise(9000, seed=0))
    task.kept.flush()

    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(kept_module, "SHARD_BYTES", 1)
    monkeypatch.setattr("s3prl_plugin.store.shards.replace_file", full)
    waveforms = noise(9000, seed=1)
    with torch.no_grad():
        direct = ours(waveforms)["hidden_states"]
    for _ in range(3):
        assert all(torch.equal(x, y) for x, y in zip(task.read(waveforms), direct, strict=True))
    assert task.counts == {"read": 0, "kept": 1, "crops": 0, "no_room": 3}
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "nothing more is kept" in line]
    assert "No space left on device" in said
    task.read(noise(9000, seed=0))
    assert task.counts["read"] == 1


def test_a_shard_that_is_damaged_while_it_is_in_use_is_computed_anew(ours, tmp_path, capsys):
    waveforms = noise(9000)
    task = Task(ours, tmp_path)
    before = task.read(waveforms)
    task.kept.flush()
    (path,) = tmp_path.glob("*/shard*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 64
    path.write_bytes(content)
    after = task.read(waveforms)
    assert task.computed == 2
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    assert path.name in capsys.readouterr().err
    task.kept.flush()
    Task(ours, tmp_path).read(waveforms)
    assert capsys.readouterr().err == ""


def test_memory_is_bounded_by_a_shard(ours, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_module, "SHARD_BYTES", 100_000)
    task = Task(ours, tmp_path)
    most = 0
    for seed in range(12):
        task.read(noise(9000, seed=seed))
        most = max(most, sum(x.nbytes for x in task.kept._pending.values()))
    assert most < 100_000
    assert len(list(tmp_path.glob("*/shard*"))) == 6  # two utterances of some 52 kB are one


@pytest.mark.parametrize("entry", ["hubert_custom", "fbank"])
@pytest.mark.parametrize("layer", [None, 1])
def test_a_foreign_upstream_gives_what_it_gives_to_an_utterance_alone(tmp_path, entry, layer):
    s3prl_plugin.register()
    from s3prl import hub

    given = {"ckpt": foreign_models.hubert(tmp_path / "hubert.pt")} if entry == "hubert_custom" else {}
    upstream = getattr(hub, entry)(**given).eval()
    waveforms = noise(*LENGTHS)
    with torch.no_grad():
        alone = [upstream([waveform])["hidden_states"] for waveform in waveforms]
    for _ in range(2):
        found = Task(upstream, tmp_path / "store", layer=layer).read(waveforms)
        for i in range(len(waveforms)):
            wanted = alone[i] if layer is None or len(alone[i]) == 1 else [alone[i][layer]]
            assert len(found) == len(wanted)
            for x, y in zip(found, wanted, strict=True):
                assert torch.equal(x[i, : y.shape[1]], y[0])
                assert torch.equal(x[i, y.shape[1] :], y[0, -1].expand_as(x[i, y.shape[1] :]))


@pytest.mark.parametrize(("key", "layer"), [("absent", None), ("hidden_states", 9), ("hidden_states", -9)])
def test_what_an_upstream_does_not_return_is_left_to_the_featurizer(tmp_path, key, layer):
    s3prl_plugin.register()
    from s3prl import hub

    upstream = hub.hubert_custom(ckpt=foreign_models.hubert(tmp_path / "hubert.pt")).eval()
    assert parts_of(upstream, key, layer, "cpu") is None


def test_torchs_random_state_is_left_alone(ours, tmp_path):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    task = Task(ours, tmp_path)
    task.read(noise(9000))
    assert torch.equal(torch.rand(3), wanted)
