"""The runner: a suite's task equals the same task alone under stock s3prl, and bad flags are refused."""

import json
from types import SimpleNamespace

import entry_point
import pytest
import torch
import yaml

from s3prl_plugin import results
from s3prl_plugin.states import tap_selection

STEPS = {"total_steps": 12, "gradient_accumulate_steps": 1, "log_step": 6, "eval_step": 6, "save_step": 6}
OVERRIDE = {
    "runner": STEPS,
    "optimizer": {"lr": 0.01},
    # crops shorter than the utterances: random draws during training then decide the score
    "downstream_expert": {"datarc": {"num_workers": 0, "max_timestep": 16000}},
}


def run(*words, stock=False, check=True):
    done = entry_point.run(*words, stock=stock)
    if check:
        assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def suite(tmp_path_factory, small_checkpoint):
    """A suite of one analysis and one task, run once."""
    folder = tmp_path_factory.mktemp("suite")
    config = {
        "suite": {
            "corpus": "generated?voices=8&sentences=4",
            "analyses": {"mi": {"measures": ["mi_phone"]}},
            "tasks": {"SID": {"override": OVERRIDE}},
        }
    }
    (folder / "suite.yaml").write_text(yaml.safe_dump(config))
    words = ["-m", "train", "-d", "suite", "-c", folder / "suite.yaml", "-u", "mr_hubert_local", "-k", small_checkpoint]
    words += ["-p", folder / "out", "--device", "cpu"]
    run(*words)
    return folder / "out", words


@pytest.mark.slow
def test_a_task_in_a_suite_equals_stock_s3prl_alone(suite, small_checkpoint, tmp_path):
    out, _ = suite
    settings = json.loads((out / "SID" / "run.json").read_text())["run"]["settings"]
    config = tmp_path / "sid.yaml"
    config.write_text(yaml.safe_dump(settings))
    upstream = ["-u", "mr_hubert_local", "-k", small_checkpoint, "--device", "cpu"]
    alone = tmp_path / "alone"
    run("-m", "train", "-d", "voxceleb1", "-c", config, "-p", alone, *upstream, stock=True)
    names = sorted(path.name for path in alone.glob("*.ckpt"))
    assert names == sorted(path.name for path in (out / "SID").glob("*.ckpt"))
    assert "states-12.ckpt" in names
    for name in names:
        # written by this test a moment ago, so it may be read whole
        ours, stock = (torch.load(folder / name, weights_only=False) for folder in (out / "SID", alone))
        for part in ("Featurizer", "Downstream"):
            assert ours[part].keys() == stock[part].keys()
            assert all(torch.equal(ours[part][key], stock[part][key]) for key in stock[part])
    (row,) = [row for row in results.read(out) if row.measure == "SID" and row.headline]
    said = run("-m", "evaluate", "-e", alone / row.task_checkpoint, "--device", "cpu", stock=True).stdout
    assert f"test acc: {row.value}" in said


@pytest.mark.slow
def test_a_finished_suite_keeps_its_scores_and_its_analysis_is_bit_identical(suite):
    out, words = suite
    before = (out / "results.jsonl").read_text()
    checkpoint = (out / "SID" / "states-12.ckpt").stat().st_mtime_ns
    run(*words)
    assert (out / "results.jsonl").read_text() == before
    assert (out / "SID" / "states-12.ckpt").stat().st_mtime_ns == checkpoint


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-m", "evaluate", "-d", "voxceleb1", "-s", "hidden_states_40m"], "hidden_states_40ms"),
        (["-m", "evaluate", "-d", "voxceleb1", "-l", "99"], "-l 99"),
        (["-m", "train", "-d", "cca"], "-m evaluate"),
    ],
)
def test_flags_that_would_be_ignored_are_refused(words, named, small_checkpoint, tmp_path):
    out = ["-u", "mr_hubert_local", "-k", small_checkpoint, "-p", tmp_path / "out", "--device", "cpu"]
    if "voxceleb1" in words:
        (tmp_path / "sid.yaml").write_text("runner: {}\ndownstream_expert: {}\n")
        out += ["-c", tmp_path / "sid.yaml"]
    done = run(*words, *out, check=False)
    assert done.returncode == 2
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert named in message
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("key", "layer", "suite", "expected"),
    [
        (tap_selection.ALL, None, None, None),
        ("last", None, None, ["chosen"]),
        (tap_selection.ALL, 2, None, ["chosen"]),
        ("last", None, {"tasks": {}}, None),  # whose tasks take the flags themselves
        ("last", None, {"analyses": {"cca": None}}, ["chosen"]),
    ],
)
def test_the_flags_of_features_choose_the_taps_of_an_analysis(monkeypatch, key, layer, suite, expected):
    import s3prl_plugin

    s3prl_plugin.register()
    from s3prl_plugin.running.runner import Runner

    monkeypatch.setattr(
        tap_selection, "by_flags", lambda features, states, *flags: ["chosen"] * (flags == (key, layer))
    )
    flags = {"upstream_feature_selection": key, "upstream_layer_selection": layer}
    args = SimpleNamespace(device="cpu", upstream_feature_normalize=False, **flags)
    upstream = SimpleNamespace(eval=lambda: lambda wavs: {"last": wavs})
    run = SimpleNamespace(
        args=args,
        config={"suite": suite} if suite else {},
        upstream=SimpleNamespace(model=upstream),
        featurizer=SimpleNamespace(model=lambda wavs, features: features),
    )
    assert Runner._selected_taps(run) == expected
