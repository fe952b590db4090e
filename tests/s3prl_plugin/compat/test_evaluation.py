"""What s3prl's modules evaluate, unpickle or start is looked up, read or refused."""

import importlib
import io
import math
import pickle
import sys
from types import FunctionType, ModuleType

import pytest
import torch
from torch import nn

import s3prl_plugin
from s3prl_plugin.compat.caches import PLAIN_FILES
from s3prl_plugin.config import setting_names
from s3prl_plugin.errors import UserError

s3prl_plugin.register()
NO_NAME = "1 + 1"


def module(name):
    return importlib.import_module(f"s3prl.{name}")


def evaluated(text, where):
    """What a line `eval(text)` in a module of s3prl's would have."""
    return FunctionType((lambda text: eval(text)).__code__, vars(where))(text)


def test_heads_are_looked_up_by_name():
    model = module("downstream.model")
    made = model.get_downstream_model(4, 3, {"select": "FrameLevel"})
    assert isinstance(made, model.FrameLevel)
    made = model.get_downstream_model(4, 3, {"select": "UtteranceLevel", "UtteranceLevel": {"pooling": "MeanPooling"}})
    assert isinstance(made.pooling, model.MeanPooling)


@pytest.mark.parametrize("text", [NO_NAME, "F", "torch", "nn.Linear", "get_downstream_model", "self", "", 7, b"1 + 1"])
def test_no_other_head_is_made(text):
    model = module("downstream.model")
    with pytest.raises(UserError, match="nothing in a file is run"):
        model.get_downstream_model(4, 3, {"select": text})
    with pytest.raises(UserError, match="nothing in a file is run"):
        model.UtteranceLevel(4, 3, pooling=text)


def test_optimizers_and_schedulers_are_looked_up_by_name():
    layer = nn.Linear(2, 2)
    made = module("optimizers").get_optimizer([layer], 10, {"name": "AdamW", "lr": 0.1})
    scheduled = module("schedulers").get_scheduler(
        made, 10, {"name": "linear_schedule_with_warmup", "num_warmup_steps": 2}
    )
    assert isinstance(scheduled, torch.optim.lr_scheduler.LambdaLR)
    for name in (NO_NAME, "grouped_parameters", "optimizer"):
        with pytest.raises(UserError, match="nothing in a file is run"):
            module("optimizers").get_optimizer([layer], 10, {"name": name})
        with pytest.raises(UserError, match="nothing in a file is run"):
            module("schedulers").get_scheduler(made, 10, {"name": name})


def theirs(input_dim, output_dim):
    """A head of another package."""
    return "made by another package", input_dim, output_dim


def test_a_registered_name_is_imported(monkeypatch):
    monkeypatch.setattr(setting_names, "_added", {"speech_commands.select": {"Theirs": f"{__name__}:theirs"}})
    made = module("downstream.model").get_downstream_model(4, 3, {"select": "Theirs"})
    assert made == ("made by another package", 4, 3)


def test_a_configuration_inside_a_checkpoint_is_computed_not_run():
    extractor = module("upstream.hubert.hubert_model")
    assert evaluated("[(512,10,5)] + [(512,3,2)] * 2", extractor) == [(512, 10, 5), (512, 3, 2), (512, 3, 2)]
    assert evaluated("(2.0, 0.5, 0.999995)", extractor) == (2.0, 0.5, 0.999995)
    for text in ("len('ab')", "[x for x in (1, 2)]", "a.b", "[1] * 10 ** 9"):
        with pytest.raises(UserError, match="nothing in a file is run"):
            evaluated(text, extractor)


def test_hooks_find_parts_of_a_network_only():
    from s3prl.upstream.interfaces import UpstreamBase

    class Upstream(UpstreamBase):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])
            self.count = 2

        def get_downsample_rates(self, key):
            return 160

    upstream = Upstream()
    upstream.add_hook("self.layers[1]", lambda input, output: output)
    assert len(upstream.layers[1]._forward_hooks) == 1
    for text in ("self.count", "self.layers[0].weight", "self.layers.__class__", "self._modules", "len('ab')"):
        with pytest.raises(UserError, match="nothing in a file is run"):
            upstream.add_hook(text, lambda input, output: output)


def test_methods_of_the_code_itself_are_found_by_name():
    dataset = module("downstream.voxceleb1.expert")

    class Expert:
        def get_dev_dataloader(self):
            return "dev"

        get_dataloader = dataset.DownstreamExpert.get_dataloader

    assert Expert().get_dataloader("dev") == "dev"
    for mode in ("absent", "dev_dataloader() or self.get_dev", NO_NAME):
        with pytest.raises(UserError, match="nothing in a file is run"):
            Expert().get_dataloader(mode)


def test_the_weight_of_unknown_words_is_a_number():
    decoder = module("downstream.asr.expert")
    assert evaluated("-math.inf", decoder) == -math.inf
    with pytest.raises(UserError, match="nothing in a file is run"):
        evaluated(NO_NAME, decoder)


def test_features_of_kaldi_are_three():
    extracter = module("upstream.baseline.extracter")
    made = extracter.ExtractAudioFeature("fbank", fbank={"num_mel_bins": 8})
    assert made(torch.zeros(4000)).shape[1] == 8
    with pytest.raises(UserError, match="nothing in a file is run"):
        extracter.ExtractAudioFeature("get_mel_banks", get_mel_banks={})


def test_baselines_read_plain_yaml(tmp_path):
    path = tmp_path / "fbank.yaml"
    path.write_text("kaldi: !!python/tuple [1, 2]\n")
    with pytest.raises(UserError, match=r"fbank\.yaml: line 1: not valid YAML"):
        module("upstream.baseline.expert").UpstreamExpert(str(path))


@pytest.mark.parametrize("entry", ["something |", "| something", "-"])
def test_an_entry_of_wav_scp_that_is_no_file_is_refused(tmp_path, entry):
    diarization = module("downstream.diarization.dataset")
    (tmp_path / "utt2spk").write_text("one a\n")
    (tmp_path / "wav.scp").write_text(f"one {entry}\n")
    with pytest.raises(UserError, match=r"wav\.scp: one is") as caught:
        diarization.KaldiData(str(tmp_path))
    assert "\n" not in str(caught.value)
    (tmp_path / "wav.scp").write_text("one some where/a.wav\n")
    data = diarization.KaldiData(str(tmp_path))
    assert data.wavs == {"one": "some where/a.wav"}
    with pytest.raises(UserError, match="never run"):
        diarization.KaldiData._load_wav(data, "something |")


def test_plain_files_hold_lists_only(tmp_path):
    kept = {"a": ["b", "c"], "n": [1, 2.5, None]}
    file = io.BytesIO()
    PLAIN_FILES.dump(kept, file)
    file.seek(0)
    assert PLAIN_FILES.load(file) == kept
    with pytest.raises(UserError, match="not a cache that this plugin wrote"):
        PLAIN_FILES.load(io.BytesIO(pickle.dumps(["a"])))


def test_a_module_that_was_there_before_is_mended_too(monkeypatch):
    from s3prl_plugin.compat import evaluation, hooks

    early = ModuleType("s3prl.downstream.early")
    monkeypatch.setitem(sys.modules, early.__name__, early)
    monkeypatch.setattr(hooks, "_before", [])
    hooks.before_import(evaluation._evaluates, evaluation._look_names_up)
    assert early.eval is evaluation.evaluate
