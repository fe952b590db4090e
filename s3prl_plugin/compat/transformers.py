"""s3prl's `hf_*` entries: they load any folder as the architecture of their name, and transformers has changed below.

In transformers 5.16 and later the last of `hidden_states` of a model with stable layer norms is no longer its output
but what enters the last norm. In training, layers are left out of the list (LayerDrop), and SpecAugment hides frames.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from s3prl_plugin.compat import hf_folder, hooks
from s3prl_plugin.compat.hf_folder import Folder
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError

# s3prl's module -> the class of transformers that it loads, and the entry on the hub
EXPERTS = {
    "s3prl.upstream.hf_hubert.expert": ("HubertModel", "hf_hubert_custom"),
    "s3prl.upstream.hf_wav2vec2.expert": ("Wav2Vec2Model", "hf_wav2vec2_custom"),
}
EXTRACTOR = "Wav2Vec2FeatureExtractor"
# What only pre-training and SpecAugment use; the states do not depend on it.
NOT_NEEDED = frozenset({"masked_spec_embed"})
# What training changes and a measurement, or a sum over layers, must not have.
STEADY = {"layerdrop": 0.0, "apply_spec_augment": False}


def install() -> None:
    """Hook the imports of s3prl's experts for transformers."""
    for module in EXPERTS:
        hooks.after_import(module, _heal)


def entry_for(folder: Path) -> str | None:
    """The entry that loads a folder, by the architecture that its config.json names; None where there is none."""
    try:
        return _entry_of(hf_folder.config_of(folder, str(folder)).get("model_type"))
    except UserError:
        return None


def fetches(entry: str) -> bool:
    """Whether an entry takes names of the hub in place of a file."""
    return any(entry == known for _, known in EXPERTS.values())


def _entry_of(model_type: Any) -> str | None:
    """The entry that loads an architecture."""
    return next((entry for name, entry in EXPERTS.values() if model_type == name.lower().removesuffix("model")), None)


def _heal(module: ModuleType) -> None:
    """Give an expert checks before it loads, and the states that its name promises."""
    expert = module.UpstreamExpert
    stock_init, stock_forward = expert.__init__, expert.forward
    network, entry = EXPERTS[module.__name__]

    @functools.wraps(stock_init)
    def init(self: Any, ckpt: str | None = None, **options: Any) -> None:
        if ckpt is None:
            raise UserError(f"{entry} needs a folder of transformers, or a name on the hub: give it with -k")
        loader = _Loader(vars(module)[network], hf_folder.find(str(ckpt), entry), entry)
        if options.get("model_config") is not None:
            raise UserError(f"{options['model_config']}: {entry} reads no options of its own; leave -g out")
        extractor = _Extractor(vars(module)[EXTRACTOR], loader.found)
        with replaced(module, **{network: loader, EXTRACTOR: extractor}), quiet():
            stock_init(self, str(loader.found.path), **options)
        self.found = loader.found

    @functools.wraps(stock_forward)
    def forward(self: Any, wavs: Sequence[Any]) -> dict[str, Any]:
        encoded: list[Any] = []
        handle = self.model.encoder.register_forward_hook(lambda _, given, returned: encoded.append(returned[0]))
        try:
            found = stock_forward(self, wavs)
        finally:
            handle.remove()
        hidden = (*found["hidden_states"][:-1], encoded[-1])
        return {**found, "hidden_states": hidden, "last_hidden_state": hidden[-1]}

    def describe(self: Any) -> dict[str, Any]:
        """Fields of a results row."""
        found: Folder = self.found
        return {
            "checkpoint_sha256": found.digest,
            "checkpoint": found.name,
            "config_id": found.config_id,
            "model_type": found.model_type,
            "weights": "trained",  # all of them, or it would not have been loaded
        }

    expert.__init__, expert.forward, expert.describe = init, forward, describe
    note("s3prl", "0.4.18", f"{entry}: a folder of another architecture, or one that lacks weights, is refused")
    note(
        "transformers", "5.16", f"{entry}: the last of hidden_states is last_hidden_state, after the model's final norm"
    )
    note("transformers", "5.16", f"{entry}: no LayerDrop and no SpecAugment in training")


class _Loader:
    """Stands in for a class of transformers, of which s3prl's expert uses `from_pretrained` alone."""

    def __init__(self, network: Any, found: Folder, entry: str):
        self.network, self.found = network, found
        wanted = network.config_class.model_type
        if found.model_type != wanted:
            other = _entry_of(found.model_type)
            cure = f"load it with -u {other or 'hf'}"
            raise UserError(f"{found.name}: its model_type is {found.model_type}, not {wanted}; {cure}")

    def from_pretrained(self, folder: str) -> Any:
        """The model in float32, with all weights that its states depend on.

        Raises:
            UserError: it is not all there.
        """
        import torch

        try:
            model, report = self.network.from_pretrained(folder, output_loading_info=True, **STEADY)
        except Exception as error:  # whatever a damaged file makes of transformers, safetensors or torch
            raise UserError(f"{self.found.name}: cannot be loaded ({reason(error)}); save the model again") from None
        self._check(report, {name.partition(".")[0] for name, _ in model.named_children()})
        stored = {str(p.dtype).removeprefix("torch.") for p in model.parameters() if p.dtype != torch.float32}
        if stored:
            said = f"stored in {', '.join(sorted(stored))}, computed in float32"
            print(f"[upstream] {self.found.name}: {said}", file=sys.stderr)
        return model.float()

    def _check(self, report: Mapping[str, Any], parts: set[str]) -> None:
        """Refuse what transformers reports and goes on with: weights drawn at random, weights left out."""
        own = self.network.base_model_prefix + "."
        missing = sorted(name for name in report["missing_keys"] if name not in NOT_NEEDED)
        left_out = sorted(
            name for name in report["unexpected_keys"] if name.removeprefix(own).partition(".")[0] in parts
        )
        other = sorted(str(part) for part in [*report["mismatched_keys"], *report.get("error_msgs", ())])
        for names, what in (
            (missing, "are missing in its file of weights and would be random"),
            (left_out, "are in its file of weights, but have no place in the model that its config.json describes"),
            (other, "do not fit the model that its config.json describes"),
        ):
            if names:
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                raise UserError(f"{self.found.name}: {names[0]}{more} {what}; save the model again")


class _Extractor:
    """Stands in for the feature extractor's class: where the folder has none, s3prl takes that of another model."""

    def __init__(self, kind: Any, found: Folder):
        from_model = f"{hf_folder.PREPARED_BY[0]}, which says whether waveforms are normalised"
        cure = "copy it from the model that this one was trained from"
        if not any((found.path / name).is_file() for name in hf_folder.PREPARED_BY):
            raise UserError(f"{found.name}: no {from_model}; {cure}")
        try:
            self._extractor = kind.from_pretrained(str(found.path))
        except Exception as error:  # of any kind, from transformers
            raise UserError(f"{found.name}: {from_model}, cannot be read ({reason(error)}); {cure}") from None

    def from_pretrained(self, _: str) -> Any:
        """The folder's own."""
        return self._extractor


def reason(error: Exception) -> str:
    """The first line of what a library says."""
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:150]


@contextmanager
def quiet() -> Iterator[None]:
    """No bars and no tables of transformers: what matters in them has been read."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
