"""Runs on folders of transformers: heads on the last state or a sum, and what an analysis records of its model."""

import importlib.metadata
import json
from types import SimpleNamespace

import foreign_models
import numpy as np
import pytest
import soundfile
import torch
import yaml

import s3prl_plugin
from s3prl_plugin import results
from s3prl_plugin.report.page.models import read as read_models
from s3prl_plugin.report.page.provenance import tables
from s3prl_plugin.run_downstream import main as run
from s3prl_plugin.states import provenance, upstream_facts

s3prl_plugin.register()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model's folder, with LayerDrop and SpecAugment as transformers has them."""
    torch.manual_seed(0)
    options = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "layerdrop": 0.5, "mask_time_prob": 0.5}
    return foreign_models.hf("Hubert", tmp_path_factory.mktemp("hf"), num_hidden_layers=3, **options)


def write_manifest(root, speakers=8):
    """A corpus of noises, two utterances per speaker."""
    draw, lines = np.random.default_rng(0), ["utt\taudio\tspeaker"]
    root.mkdir()
    for i in range(2 * speakers):
        soundfile.write(root / f"u{i}.wav", 0.1 * draw.standard_normal(8000), 16000)
        lines.append(f"u{i}\tu{i}.wav\ts{i // 2}")
    (root / "utterances.tsv").write_text("\n".join(lines) + "\n")


def test_the_folder_its_digest_and_its_architecture_stand_beside_every_number(folder, tmp_path):
    write_manifest(tmp_path / "speech")
    corpus = f"config.downstream_expert.corpus=manifest:{tmp_path / 'speech'}"
    flags = ["-m", "evaluate", "-d", "rank", "-u", "hf_hubert_custom", "-k", folder, "-p", str(tmp_path / "out")]
    assert run([*flags, "-o", corpus]) == 0
    rows = results.read(tmp_path / "out")
    assert {row.tap for row in rows} == {"layer0", "layer1", "layer2", "layer3"}
    from s3prl import hub

    model = hub.hf_hubert_custom(ckpt=folder)
    for row in rows:
        assert (row.checkpoint, row.model_type, row.weights) == (folder, "hubert", "trained")
        assert row.checkpoint_sha256 == model.found.digest
        for package in ("transformers", "torchaudio", "s3prl"):
            assert row.versions[package] == importlib.metadata.version(package)
    facts = upstream_facts.read(tmp_path / "out")
    assert (facts.checkpoint, facts.model_type, facts.checkpoint_sha256) == (folder, "hubert", model.found.digest)
    assert facts.versions == rows[0].versions
    models, *_, software = tables(read_models([tmp_path / "out"]))
    shown = dict(zip(models.names, (cell.value for cell in models.cells[0]), strict=True))
    assert (shown["loaded from"], shown["model type"], shown["weights"]) == (folder, "hubert", "trained")
    assert ("transformers", importlib.metadata.version("transformers")) in [tuple(line) for line in software.rows]


@pytest.mark.parametrize(("key", "weights"), [("last_hidden_state", None), ("hidden_states", 4)])
def test_a_head_is_trained_on_the_last_state_or_a_sum_and_the_model_with_it(folder, tmp_path, key, weights):
    """s3prl's own example of a downstream, as `doctor` trains it."""
    (tmp_path / "example.yaml").write_text(
        yaml.safe_dump(
            {
                "runner": {"total_steps": 3, "gradient_clipping": 1, "gradient_accumulate_steps": 1, "max_keep": 1}
                | {"log_step": 1, "eval_step": 9, "save_step": 3, "eval_dataloaders": ["dev"]},
                "optimizer": {"name": "TorchOptim", "torch_optim_name": "Adam", "lr": 1e-4},
                "downstream_expert": {
                    "datarc": {"train_batch_size": 1, "eval_batch_size": 1, "num_workers": 0},
                    "modelrc": {"input_dim": 8},
                },
            }
        )
    )
    flags = ["-m", "train", "-d", "example", "-c", str(tmp_path / "example.yaml"), "-p", str(tmp_path / "out")]
    assert run([*flags, "-f", "-s", key, "-u", "hf_hubert_custom", "-k", folder]) == 0
    saved = torch.load(tmp_path / "out" / "states-3.ckpt")
    assert saved["Step"] == 3
    assert (len(saved["Featurizer"]["weights"]) if weights else saved["Featurizer"].get("weights")) == weights


def described(model):
    return provenance.of_upstream(model, SimpleNamespace(upstream="hf_hubert_custom"))


def test_the_same_weights_prepared_for_in_another_way_are_another_model(folder, tmp_path):
    import shutil

    from s3prl import hub

    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text()) | {"transformers_version": "4.0", "_name_or_path": "x"}
    (copy / "config.json").write_text(json.dumps(config))
    first, same = (described(hub.hf_hubert_custom(ckpt=str(path))) for path in (folder, copy))
    prepared = json.loads((copy / "preprocessor_config.json").read_text()) | {"do_normalize": False}
    (copy / "preprocessor_config.json").write_text(json.dumps(prepared))
    other = described(hub.hf_hubert_custom(ckpt=str(copy)))
    identity = [
        results.Row(measure="rank", score="rank", value=1.0, **fields).identity for fields in (first, same, other)
    ]
    assert identity[0] == identity[1] != identity[2]
