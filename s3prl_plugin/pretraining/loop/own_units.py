"""A training that makes the units of its speech before it begins: what its section `units` asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s3prl_plugin import corpora
from s3prl_plugin.config import given, schema
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data import sources


def with_units(config: Mapping[str, Any], request: Mapping[str, Any], folder: Path, device: str) -> dict[str, Any]:
    """A configuration whose speech has units: made in a folder of their own, once for all that ask for the same.

    Args:
        config: with `pretrain_expert.datarc.corpus`.
        request: the section `units`, see `units.request.Request`.
        folder: of all units.
        device: where an earlier model runs.

    Raises:
        UserError: the speech cannot be read, or the units cannot be made.
    """
    from s3prl_plugin.pretraining.data.units import make as units
    from s3prl_plugin.pretraining.data.units.request import Request, told

    expert = dict(config.get("pretrain_expert") or {})
    datarc = dict(expert.get("datarc") or {})
    spoken = {"train": datarc.get("corpus"), "valid": datarc.get("valid_corpus")}
    if not spoken["train"]:
        raise UserError("pretrain_expert.datarc.corpus is missing: name the speech that gets units")
    splits = {name: sources.utterances_of(source) for name, source in spoken.items() if source}
    is_list = str(spoken["train"]).endswith(sources.LIST)
    silence = () if is_list else corpora.open_corpus(spoken["train"]).silence
    asked = schema.read(given({"units": request}), ("units",), Request)
    named = told(asked, json.dumps(spoken))[:8]
    where = folder / f"{asked.features}-{asked.clusters}-{named}"
    made = units.make(asked, splits, where, silence=silence, device=device, say=lambda line: print(f"[units] {line}"))
    datarc |= {"corpus": str(made.list_of().resolve()), "units": [str(made.units_of().resolve())]}
    if spoken["valid"]:
        datarc["valid_corpus"] = str(made.list_of("valid").resolve())
        datarc["valid_units"] = [str(made.units_of("valid").resolve())]
    objective = {**(config.get("objective") or {}), "label_rate": made.label_rate}
    return {**config, "pretrain_expert": {**expert, "datarc": datarc}, "objective": objective}
