"""A published variant as an upstream of s3prl."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import variants
from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert


class PublishedUpstream(UpstreamExpert):
    """The upstream of a published checkpoint, which knows the variant that it is.

    Args:
        name: the variant's entry.
        ckpt: its file, where it is not to be downloaded.
        model_config: a YAML file of options.
        refresh: download it again.
        options: see `options.Options`.

    Raises:
        UserError: the file cannot be fetched or loaded, is that of another architecture, or an option is wrong.
    """

    def __init__(
        self,
        name: str,
        ckpt: str | Path | None = None,
        model_config: str | Path | None = None,
        refresh: bool = False,
        **options: Any,
    ):
        variant = variants.variant(name)
        super().__init__(ckpt or variant.checkpoint(refresh=refresh), model_config, **options)
        self.variant = variant
        differences = "; ".join(variant.differences(self.network.config))
        if differences and ckpt:
            raise UserError(f"{ckpt} is not {name}, which has {differences}; load it with -u mr_hubert_local")
        if differences:
            print(f"[upstream] {name} is described as having {differences}; its own file decides", file=sys.stderr)

    def describe(self) -> dict[str, Any]:
        """As every upstream of this kind; the variant; what its weights were trained on, where they are not random."""
        described = {**super().describe(), "variant": self.variant.name}
        if described["weights"] == "random":
            return described
        return {**described, "pretraining": self.variant.data, "unit_iteration": self.variant.unit_iteration}

    def facts(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """As every upstream of this kind, and what is published about its training."""
        architecture, training = super().facts()
        if training is None:
            return architecture, None
        known = {"pretraining": self.variant.data, "unit_iteration": self.variant.unit_iteration}
        return architecture, {**training, **known}
