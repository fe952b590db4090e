"""A pre-training's configuration: the sections of `-g` and `-c` together, each in one of them.

Where a section `units` stands, the units of the speech are made before training begins (`with_units`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from s3prl_plugin import corpora
from s3prl_plugin.config import Config, KeyPath, given, schema
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data import sources

SECTIONS = ("runner", "optimizer", "scheduler", "pretrain_expert", "units")


class Experiment(Config):
    """Several files as one; an error names the file in which the section stands.

    Args:
        files: the first one is named where a section is missing.
        sections: that may be there.

    Raises:
        UserError: a section is unknown, or stands in two files.
    """

    def __init__(self, files: Sequence[Config], sections: Iterable[str]):
        super().__init__(files[0].path, {}, {})
        self._files = files
        for file in files:
            file.refuse_unknown(sections)
            for name, content in file.data.items():
                if name in self.data:
                    raise file.error((name,), f"the section {name!r} stands in {self._owner(name).path}, too; keep one")
                self.data[name] = content

    def error(self, key: KeyPath, message: str) -> UserError:
        """The error for what stands at `key`, naming file and line."""
        return self._owner(key[0] if key else "").error(key, message)

    def _owner(self, section: str) -> Config:
        """The file that has a section."""
        return next((file for file in self._files if section in file.data), self._files[0])


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
