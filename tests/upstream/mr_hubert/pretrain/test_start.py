"""A pre-training that begins with an earlier checkpoint: what is kept, what is new, and what cannot be."""

from pathlib import Path

import pytest
import tones
import torch
import yaml

from s3prl_plugin import run_pretrain
from s3prl_plugin.config import Config
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load, torch_file
from s3prl_plugin.upstream.mr_hubert.pretrain import start
from s3prl_plugin.upstream.mr_hubert.pretrain.start import Initial

CONFIG = small.small_config(dim=16, layers=(1, 2, 1))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    return small.write_random_checkpoint(tmp_path_factory.mktemp("model") / "earlier.pt", CONFIG, seed=1)


def begun(earlier, reset_top):
    network = small.random_network(CONFIG, seed=2)
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    start.begin(network, Initial(checkpoint=str(earlier), reset_top=reset_top))
    return network.state_dict(), fresh, load.load(earlier).weights


@pytest.mark.parametrize(
    ("reset_top", "new"),
    [(0, ()), (1, ("decoders.0.layers.0.",)), (2, ("decoders.0.layers.0.", "middle_encoder.layers.1."))],
)
def test_all_but_the_top_layers_are_the_earlier_ones(earlier, reset_top, new):
    found, fresh, old = begun(earlier, reset_top)
    for name, tensor in found.items():
        expected = fresh if name.startswith(new or "nothing") else old
        assert torch.equal(tensor, expected[name]), name
    assert (
        sum(name.startswith(new or "nothing") for name in found) == reset_top * 16
    )  # 6 layers with weight and bias + 2


def test_what_cannot_be_begun_with_is_refused(earlier, tmp_path):
    other = small.write_random_checkpoint(tmp_path / "other.pt", small.small_config(dim=16, layers=(1, 1, 1)))
    network = small.random_network(CONFIG)
    with pytest.raises(UserError, match=r"other\.pt is of another network \(middle_encoder\.layers\.1"):
        start.begin(network, Initial(checkpoint=str(other)))
    with pytest.raises(UserError, match="reset_top: 5 layers of 4; give at most so many"):
        start.begin(network, Initial(checkpoint=str(earlier), reset_top=5))
    with pytest.raises(UserError, match=r"nowhere\.pt"):
        start.begin(network, Initial(checkpoint="nowhere.pt"))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"reset_top": 2}, "there is no checkpoint whose layers could be reset"),
        ({"reset_top": -1}, "initial.reset_top: -1 is not possible; give a whole number"),
        ({"checkpoint": 3}, "initial.checkpoint: 3 is not possible; give text"),
        ({"reset": 1}, "unknown key 'reset' in initial: did you mean 'reset_top'"),
    ],
)
def test_options_are_checked(said, message, tmp_path):
    with pytest.raises(UserError, match=message):
        start.read(Config(tmp_path / "c.yaml", {"initial": said}, {}))


def test_a_training_begins_with_what_an_earlier_one_became(tmp_path):
    speech = tones.write(tmp_path / "speech", utterances=3)
    runner = {"total_steps": 1, "save_step": 1, "save_steps": [0]}
    last = str(tmp_path / "first" / "checkpoint_last.pt")
    for seed, (name, said) in enumerate({"first": {}, "second": {"checkpoint": last, "reset_top": 1}}.items()):
        config = {**tones.experiment(speech, runner=runner), "initial": said}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config))
        flags = ["-u", "mr_hubert", "-g", str(tmp_path / f"{name}.yaml"), "-p", str(tmp_path / name), "--device", "cpu"]
        assert run_pretrain.main([*flags, "--seed", str(seed)]) == 0
    first, second = (load.load(path).weights for path in (last, tmp_path / "second" / "checkpoint_0.pt"))
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert changed
    assert all(name.startswith("decoders.0.layers.0.") for name in changed)
    stored = [torch_file.read(Path(path))["model"] for path in (last, tmp_path / "second" / "checkpoint_0.pt")]
    assert not torch.equal(stored[0]["mask_emb"], stored[1]["mask_emb"])
