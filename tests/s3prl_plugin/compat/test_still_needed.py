"""The healing is a list that shrinks: a shim goes when the library that is installed needs it no more.

Every shim has a probe here, which looks at the library itself, without the plugin: at its source, or at what it does in
a process of its own. A probe that fails says that its shim can be removed, or is to be narrowed to older versions.
"""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from s3prl_plugin import compat

COMPAT = Path(compat.__file__).parent
# Shims that act where packages do not fit together, as an installer may have left them in any version.
ON_THE_MACHINE = {
    "torchaudio._without_extension": "torchaudio and torch built apart",
    "stand_ins._run_again": "s3prl's requirements that pip does not bring",
}


def source(module):
    """The source of a module, which is not imported."""
    package, *inner = module.split(".")
    folder = Path(importlib.util.find_spec(package).submodule_search_locations[0]).joinpath(*inner)
    return (folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")).read_text(encoding="utf-8")


def has(module, *patterns):
    """A probe: whether all patterns are in a module's source."""
    return lambda: all(re.search(pattern, source(module)) for pattern in patterns)


def lacks(module, pattern):
    return lambda: re.search(pattern, source(module)) is None


def prints(code, expected):
    """A probe: whether a program without the plugin prints that."""

    def probe():
        ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
        return ended.stdout.strip() == expected

    return probe


REFUSES_A_NAMESPACE = """
import argparse, io, torch
file = io.BytesIO()
torch.save(argparse.Namespace(), file)
file.seek(0)
try:
    torch.load(file)
except Exception as error:
    print("weights_only" in str(error))
"""
STATES = """
import sys
sys.modules["torchaudio"] = None  # which transformers imports where it is there, whether it works or not
import torch, transformers
transformers.utils.logging.set_verbosity_error()
sizes = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, conv_dim=[8] * 7)
sizes |= dict(num_conv_pos_embedding_groups=2, feat_extract_norm="layer", do_stable_layer_norm=True)
sizes |= dict(layerdrop=1.0, mask_time_prob=0.0)
model = transformers.HubertModel(transformers.HubertConfig(**sizes)).eval()
torch.nn.init.normal_(model.encoder.layer_norm.weight)
with torch.no_grad():
    found = model(torch.randn(1, 4000), output_hidden_states=True)
    dropped = model.train()(torch.randn(1, 4000), output_hidden_states=True).hidden_states
"""
LAST_STATE = STATES + "print(not torch.equal(found.hidden_states[-1], found.last_hidden_state))"
LAYER_DROP = STATES + "print(len(found.hidden_states) - len(dropped) > 0)"
RUNNER, UPSTREAM = "s3prl.downstream.runner", "s3prl.upstream.hf_hubert.expert"
# file.function -> a probe for each note in it
PROBES = {
    "caches._own_file_lists": [has("s3prl.downstream.voxceleb1.dataset", r"CACHE_PATH = os.path.join\(.*__file__")],
    "caches._own_lengths": [has("s3prl.downstream.sv_voxceleb1.dataset", r"__file__\)\)\s+/ ['\"]\.wav_lengths")],
    "checkpoints._whole_checkpoints": [has(RUNNER, r"os\.remove\(", r"torch\.save\(all_states, path\)")],
    "distributed._count_steps_on_every_rank": [has(RUNNER, r"if not is_leader_process\(\):\s+batch_ids = \[\]")],
    "distributed._wrap_anywhere": [has(RUNNER, r"DDP\(\s*model,\s*device_ids=\[")],
    "downloads._fetch_as_we_do": [has("s3prl.util.download", r"def _download\(", r"requests\.get\(")],
    "evaluation._look_names_up": [has("s3prl.optimizers", r"\beval\(")],
    "evaluation._plain_caches": [has("s3prl.downstream.voxceleb2_amsoftmax_segment_eval.dataset", r"pickle\.load\(")],
    "evaluation._refuse_pipes": [has("s3prl.downstream.diarization.dataset", r"subprocess\.Popen\(")],
    "evaluation._safe_yaml": [has("s3prl.run_downstream", r"yaml\.load\(file, Loader=yaml\.FullLoader\)")],
    "hub._fill": [
        lambda: (
            has("s3prl.hub", r"from s3prl\.upstream\.hf_hubert\.hubconf import \*")()
            and has(UPSTREAM, r"from transformers import")()
        )
    ],
    "huggingface_hub._lend": [has(RUNNER, "from huggingface_hub import HfApi")],
    "huggingface_hub._stand_in": [
        prints("import huggingface_hub as h; print(hasattr(h, 'HfFolder'), hasattr(h, 'Repository'))", "False False")
    ],
    "s3prl._evaluate_anywhere": [has(RUNNER, r"with torch\.cuda\.device\(self\.args\.device\)")],
    "s3prl._harmless_isinstance": [has("s3prl.utility.helper", r"builtins\.isinstance = isinstance")],
    "s3prl._head_of_the_runs_seed": [has("s3prl.downstream.emotion.expert", r"torch\.manual_seed\(0\)")],
    "s3prl._keep_num_workers": [has("s3prl.downstream.ctc.data", r"corpus\.pop\(.num_workers.")],
    "s3prl._plain_overrides": [has("s3prl.utility.helper", r"\beval\(value_str\)")],
    "s3prl._whole_strides": [has("s3prl.nn.upstream", r"isinstance\(downsample_rates, int\)")],
    "s3prl.running": [has("s3prl.downstream.sv_voxceleb1.expert", r"\.cuda\(\)")],
    "torch._trust_namespaces": [prints(REFUSES_A_NAMESPACE, "True")],
    "torchaudio._with_audio_functions": [
        lacks("torchaudio", r"\bset_audio_backend\b"),
        has("torchaudio", r"return load_with_torchcodec\("),
        lacks("torchaudio", r"\binfo\b.*="),
        lambda: (
            importlib.util.find_spec("torchaudio").submodule_search_locations
            and not (Path(importlib.util.find_spec("torchaudio").origin).parent / "sox_effects").exists()
        ),
    ],
    "transformers._heal": [
        lacks(UPSTREAM, r"output_loading_info"),
        prints(LAST_STATE, "True"),
        prints(LAYER_DROP, "True"),
    ],
}


def notes():
    """file.function -> the calls of `note` in it."""
    found = {}
    for path in COMPAT.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
                mine = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "note"]
                if mine:
                    found[f"{path.stem}.{function.name}"] = mine
    return found


def test_every_shim_has_a_probe_and_names_a_version():
    found = notes()
    assert set(found) == set(PROBES) | set(ON_THE_MACHINE)
    for name, probes in PROBES.items():
        assert len(found[name]) == len(probes), name
    for name, calls in found.items():
        for call in calls:
            version = call.args[1].value
            assert re.fullmatch(r"any" if name == "torchaudio._without_extension" else r"\d+(\.\d+)+", version), name


@pytest.mark.parametrize("name", sorted(PROBES))
def test_what_is_installed_still_needs_it(name):
    for call, probe in zip(notes()[name], PROBES[name], strict=True):
        library = call.args[0].value
        version = importlib.metadata.version(library.partition(".")[0]) if library != "s3prl" else source_version()
        assert probe(), f"{library} {version} needs no {name} any more: remove this shim, {ast.unparse(call)}"


def source_version():
    """Of the package s3prl, whichever distribution's."""
    folder = Path(importlib.util.find_spec("s3prl").submodule_search_locations[0])
    return (folder / "version.txt").read_text().strip()
