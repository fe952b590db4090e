"""s3prl's keyword spotting with a store, beside the same without one."""

import json
import re

import entry_point
import pytest
import torch
import yaml

import s3prl_plugin
from benchmarks import store as bench
from s3prl_plugin import results
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert

pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")
WORK = bench.Workload(small.small_config(dim=32, layers=(1, 1, 1)), (13, 4, 6), 4, 4, 3, 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkpoint, and KS's settings on some of the generated corpus."""
    folder = tmp_path_factory.mktemp("task")
    path = load.save(folder / "model.pt", small.random_network(WORK.config))
    return path, bench._config(WORK, bench._corpus(folder, WORK))


def trained(made, folder, options=None, layer=None):
    """The checkpoint of a task, its batches, and what the store did."""
    s3prl_plugin.register()
    from s3prl.downstream.runner import ModelEntry

    from s3prl_plugin.random_state import RandomState
    from s3prl_plugin.running.runner import Runner
    from s3prl_plugin.store.options import Options
    from s3prl_plugin.store.suite import SuiteStore

    path, settings = made
    folder.mkdir()
    args = bench._arguments(folder, "mr_hubert_local", path, layer, "cpu")
    upstream = UpstreamExpert(path).eval()
    bench._seed()
    entry, after = ModelEntry(upstream, "Upstream", False, ["get_downsample_rates"]), RandomState.capture()
    suite = None if options is None else SuiteStore(Options(**options), upstream, args)
    runner = Runner(args, json.loads(json.dumps(settings)), (entry, after), suite and suite.for_task("KS"))
    runner.train()
    counts = suite and suite._kept.counts
    said = suite and suite.end_task("KS")
    # written a moment ago, so it may be read whole
    saved = torch.load(folder / "states-12.ckpt", weights_only=False)
    return saved, (folder / "train_truth.txt").read_text().splitlines(), counts, said


def distance(one, other):
    """The largest difference between the heads of two checkpoints."""
    pairs = [(one[part][key], other[part][key]) for part in ("Featurizer", "Downstream") for key in one[part]]
    return max(float((a - b).abs().max()) for a, b in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [None, 2])
def test_a_task_learns_the_same_with_a_store(made, tmp_path, layer):
    plain, batches, _, _ = trained(made, tmp_path / "plain", layer=layer)
    exact, same, counts, said = trained(made, tmp_path / "exact", {"dtype": "float32"}, layer)
    half, _, _, _ = trained(made, tmp_path / "half", {"dtype": "float16"}, layer)
    assert same == batches
    assert len(batches) == 3 * 4 * 4
    assert distance(plain, exact) < 1e-5  # sums of products in batches of other sizes
    assert 0 < distance(plain, half) < 1e-2
    # an oracle for the counts: a word is computed when it comes first, a crop of noise always
    words = {line for line in batches if "background" not in line}
    noises = [line for line in batches if "background" in line]
    draws = len(batches) + 4 + 3  # the dev set is gone through once
    assert counts.read + counts.kept + counts.crops == draws
    assert counts.crops >= len(noises) - len(set(noises))
    dev_words = counts.kept - len(words) - len(set(noises))
    assert 0 <= dev_words <= 4 + 3
    assert f"{counts.read} utterances read" in said


SUITE = {
    "total_steps": 8,
    "gradient_accumulate_steps": 1,
    "log_step": 4,
    "eval_step": 4,
    "save_step": 4,
}


@pytest.mark.slow
def test_a_suite_keeps_features_for_later_runs_and_measures_what_they_change(small_checkpoint, tmp_path):
    datarc = {"num_workers": 0, "max_timestep": 16000}
    override = {"runner": SUITE, "optimizer": {"lr": 0.01}, "downstream_expert": {"datarc": datarc}}
    store = {"check": True, "folder": str(tmp_path / "features")}
    suite = {"suite": {"store": store, "tasks": {"SID": {"override": override}}}}
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite))
    said = []
    for name in ("first", "second"):
        words = ["-m", "train", "-d", "suite", "--device", "cpu", "-c", tmp_path / "suite.yaml"]
        words += ["-u", "mr_hubert_local", "-k", small_checkpoint, "-l", "2", "-p", tmp_path / name]
        done = entry_point.run(*words)
        assert done.returncode == 0, done.stderr[-3000:]
        said.append(done.stdout)
    found = [re.search(r"of (\d+) utterances read and of (\d+) computed \((\d+) kept, (\d+) random", x) for x in said]
    first, second = ([int(x) for x in match.groups()] for match in found)
    # 8 steps of 8, dev twice, test once: 60 each
    assert sum(first[:2]) == sum(second[:2]) == 8 * 8 + 3 * 60
    assert first[0] == 60  # the second time on dev
    assert first[3] > 0  # longer utterances are cropped to a second
    assert second[1:] == [second[3], 0, second[3]]  # the same seed and the same crops, which were not kept
    assert second[3] == first[3]
    for out in (tmp_path / "first", tmp_path / "second"):
        record = json.loads((out / "SID" / "run.json").read_text())
        fresh = record["trials"]["fresh features"]["voxceleb1/test-acc"]
        (row,) = [row for row in results.read(out) if row.measure == "SID" and row.headline]
        assert abs(row.value - fresh) <= 1 / 60
        assert record["run"]["store"] == "float16"
        assert not (out / "store").exists()
    assert "SID: voxceleb1/test-acc" in said[0]
    assert results.read(tmp_path / "first")[0].value == results.read(tmp_path / "second")[0].value


@pytest.mark.slow
def test_all_layers_of_a_task_that_is_run_layer_by_layer_are_computed_once(made, tmp_path):
    """Spoken term detection scores every layer on dev."""
    from s3prl_plugin.store.options import Options
    from s3prl_plugin.store.suite import SuiteStore

    upstream = UpstreamExpert(made[0]).eval()
    calls = []
    upstream.network.register_forward_hook(lambda _, wavs, __: calls.append(len(wavs[0])))
    waveform = torch.randn(9000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        direct = upstream([waveform])["hidden_states"]
    calls.clear()
    args = bench._arguments(tmp_path, "mr_hubert_local", made[0], None, "cpu")
    store = SuiteStore(Options(dtype="float32"), upstream, args)
    for layer, wanted in enumerate(direct):
        args.upstream_layer_selection = layer
        task = store.for_task("QbE", layer_by_layer=True).in_front_of(upstream, args)
        task._announced = ("dev", [("dev", "query.wav")])
        assert torch.equal(task([waveform])["hidden_states"], wanted)
    assert calls == [1]
