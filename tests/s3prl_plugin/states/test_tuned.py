"""A fine-tuned upstream is measured by -i: what is loaded is what was trained, and the rows say so."""

import argparse
import importlib

import foreign_models
import numpy as np
import pytest
import soundfile
import torch
import yaml

import s3prl_plugin
from s3prl_plugin import results, run_downstream
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import digests
from s3prl_plugin.states import provenance, tuned, upstream_facts
from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert

s3prl_plugin.register()
STEPS = {"total_steps": 2, "gradient_accumulate_steps": 1, "log_step": 2, "eval_step": 2, "save_step": 2}
SID = {"runner": STEPS, "optimizer": {"lr": 0.01}}
SID["downstream_expert"] = {"datarc": {"num_workers": 0, "train_batch_size": 6}}


@pytest.fixture(scope="module")
def tuned_run(small_checkpoint, tmp_path_factory):
    """A suite that fine-tuned our small network on noise: its folder, and the flags of an analysis of such noise."""
    folder = tmp_path_factory.mktemp("tuned")
    noise, lines = np.random.default_rng(0), ["utt\taudio\tspeaker"]
    for name in ("a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"):
        soundfile.write(folder / f"{name}.wav", 0.1 * noise.standard_normal(8000), 16000, subtype="PCM_16")
        lines.append(f"{name}\t{name}.wav\t{name[0]}")
    (folder / "utterances.tsv").write_text("\n".join(lines) + "\n")
    suite = {"corpus": f"manifest:{folder}", "tasks": {"SID": {"override": SID}}}
    (folder / "suite.yaml").write_text(yaml.safe_dump({"suite": suite}))
    upstream = ["-u", "mr_hubert_local", "-k", str(small_checkpoint), "--device", "cpu"]
    words = ["-m", "train", "-d", "suite", "-c", str(folder / "suite.yaml"), "-f", "-p", str(folder / "out")]
    assert run_downstream.main([*words, *upstream]) == 0
    (folder / "rank.yaml").write_text(
        yaml.safe_dump({"runner": {}, "downstream_expert": {"corpus": f"manifest:{folder}", "split_by": "utterance"}})
    )
    return folder, ["-m", "evaluate", "-d", "rank", "-c", str(folder / "rank.yaml"), *upstream]


def test_the_states_are_those_of_the_trained_network(tuned_run, small_checkpoint, tmp_path):
    folder, words = tuned_run
    checkpoint = folder / "out" / "SID" / "states-2.ckpt"
    for name, more in (("tuned", ["-i", str(checkpoint)]), ("before", [])):
        run_downstream.main([*words, *more, "-p", str(tmp_path / name)])
    after, before = (results.read(tmp_path / name) for name in ("tuned", "before"))

    by_hand = UpstreamExpert(small_checkpoint)
    # written by this test a moment ago, so it may be read whole
    by_hand.load_state_dict(torch.load(checkpoint, weights_only=False)["Upstream"])
    (weights,) = {row.weights_id for row in after}
    assert weights == provenance.weights_id(by_hand)
    (digest,) = {row.checkpoint_sha256 for row in after}
    assert digest == digests.of_path(checkpoint)
    assert {row.upstream for row in after} == {f"mr_hubert_local[tuned={digest[:8]}]"}
    assert {row.train_step for row in after} == {None}
    assert not {row.model for row in after} & {row.model for row in before}
    assert [row.value for row in after] != [row.value for row in before]
    assert upstream_facts.read(tmp_path / "tuned").checkpoint_sha256 == digest


def test_a_run_that_left_the_upstream_alone_has_none(tuned_run, tmp_path):
    folder, words = tuned_run
    content = torch.load(folder / "out" / "SID" / "states-2.ckpt", weights_only=False)  # see above
    del content["Upstream"]
    torch.save(content, tmp_path / "head.ckpt")
    with pytest.raises(UserError, match=r"-i .*head\.ckpt: its run did not train the upstream \(-f\)"):
        run_downstream.main([*words, "-i", str(tmp_path / "head.ckpt"), "-p", str(tmp_path / "out")])


def test_that_of_another_upstream_is_told_with_the_flags_of_its_run(tuned_run, tmp_path):
    folder, words = tuned_run
    checkpoint = str(folder / "out" / "SID" / "states-2.ckpt")
    other = foreign_models.apc(tmp_path / "apc.ckpt")
    words = [*words[: words.index("-u")], "-u", "apc_local", "-k", other, "--device", "cpu", "-i", checkpoint]
    with pytest.raises(
        UserError, match=r"another one than -u apc_local loads \(.* differs\); give -u mr_hubert_local -k"
    ):
        run_downstream.main([*words, "-p", str(tmp_path / "out")])


def test_a_suite_does_not_fine_tune_it_further(tuned_run, tmp_path):
    folder, words = tuned_run
    words = ["-m", "train", "-d", "suite", "-c", str(folder / "suite.yaml"), "-f", *words[words.index("-u") :]]
    checkpoint = str(folder / "out" / "SID" / "states-2.ckpt")
    with pytest.raises(UserError, match="-i and -f: "):
        run_downstream.main([*words, "-i", checkpoint, "-p", str(tmp_path / "out")])


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_one_of_s3prl_with_any_wrapper_is_loaded(tmp_path, prefix):
    hub = importlib.import_module("s3prl.hub")
    source, target = (hub.apc_local(ckpt=foreign_models.apc(tmp_path / f"{s}.ckpt", s)) for s in (1, 2))
    state = {prefix + name: tensor for name, tensor in source.state_dict().items()}
    tuned.load(target, {"Upstream": state}, argparse.Namespace(init_ckpt="x.ckpt", upstream="apc_local"))
    assert provenance.weights_id(target) == provenance.weights_id(source)
