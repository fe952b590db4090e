"""An upstream that a run has fine-tuned (`-f`), loaded from the run's checkpoint (`-i`) to be measured."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.files import digests
from s3prl_plugin.states.loaded_weights import without_prefixes

KEY = "Upstream"  # in s3prl's checkpoints
SHORT = 8


def load(model: torch.nn.Module, checkpoint: Mapping[str, Any], args: Namespace) -> None:
    """Put the weights of a run's upstream into one of the same architecture, in place.

    Args:
        model: the upstream that `-u`, `-k` and `-g` name.
        checkpoint: of the run, read; its featurizer and its head do not matter.
        args: of this run; `init_ckpt` names the file.

    Raises:
        UserError: the run did not train its upstream, or that was another one.
    """
    where = f"-i {args.init_ckpt}"
    state = checkpoint.get(KEY)
    if not isinstance(state, Mapping) or not state:
        raise UserError(f"{where}: its run did not train the upstream (-f), so there is none in it; leave -i out")
    given, wanted = without_prefixes(state), model.state_dict()
    alike = [name for name in wanted if name in given and _shape(given[name]) == _shape(wanted[name])]
    if len(alike) < len(wanted) or len(given) > len(wanted):
        differs = next(name for name in [*wanted, *given] if name not in alike)
        raise UserError(
            f"{where}: its upstream is another one than -u {args.upstream} loads ({differs} differs); give "
            f"{_flags(checkpoint.get('Args'))} of its run"
        )
    model.load_state_dict(given)


def described(fields: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What an upstream says of itself, where its weights come from a run's checkpoint.

    Args:
        fields: what the upstream says, which knows its own checkpoint only; see `provenance.of_upstream`.
        path: of the run's checkpoint.
    """
    digest = digests.of_path(path)
    options = {**(fields.get("options") or {}), "tuned": (digest or "")[:SHORT]}
    weights = {"checkpoint_sha256": digest, "weights": "trained", "train_step": None, "variant": None}
    return {**fields, **weights, "options": options}


def _shape(tensor: Any) -> Any:
    return tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else None


def _flags(args: Any) -> str:
    """The flags with which a run loaded its upstream."""
    said = vars(args) if isinstance(args, Namespace) else {}
    named = (("-u", "upstream"), ("-k", "upstream_ckpt"), ("-g", "upstream_model_config"))
    return " ".join(f"{flag} {said[name]}" for flag, name in named if said.get(name)) or "-u, -k and -g"
