"""What an MR-HuBERT is to be and how it is trained: the sections `model` and `objective` of a pre-training's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Gt, Le

from s3prl_plugin import config as config_file
from s3prl_plugin.config import schema
from s3prl_plugin.config.schema import ConfigSection, Counted, Number, Positive, Share, Whole
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.checkpoint import fairseq_config
from s3prl_plugin.upstream.mr_hubert.checkpoint.fairseq_config import Model
from s3prl_plugin.upstream.mr_hubert.network.config import Config

SECTIONS = ("model", "objective")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective(ConfigSection):
    """What is predicted, from what, and how the parts of the loss are weighed.

    Attributes:
        loss: "mean": every resolution's mean cross-entropy times its lambda; "fairseq": cross-entropy summed over all
            resolutions, over the finest one's count.
        lambdas: for "mean", one weight per resolution, finest first; empty for 1 each.
        use_single_prediction: the finest resolution only, no auxiliary loss.
        use_single_target: one set of units for all resolutions; otherwise one set for each, at its own rate.
        auxiliary_every: the auxiliary resolutions are trained on every nth of their frames. 2 gives a network
            whose ratios are [1, 1] the same targets that [1, 2] has: intermediate supervision without a lower rate.
        mask_prob, mask_length, mask_min_spans: of the masked spans, see `pretrain_masks.span_mask`.
        shown: of the utterances in training, the share in which nothing is hidden and the same frames are asked for.
            0 as in HuBERT. BERT leaves some of the chosen words as they are, too; a front end that knows nothing yet
            learns many times faster from frames that it sees.
        final_dim: width of the space in which frames and units are compared; 0 for the network's.
        logit_temp: cosines are divided by it.
        feature_penalty: weight of the mean square of the front end's output.
        normalize: every waveform is layer-normalised over its own samples first.
        label_rate: units per second of the (first) set.
        initial_std: spread of a transformer's weights at first; HuBERT's.
    """

    loss: Literal["mean", "fairseq"] = "mean"
    lambdas: Sequence[Number] = ()
    use_single_prediction: bool = False
    use_single_target: bool = True
    auxiliary_every: Counted = 1
    mask_prob: Annotated[float, Gt(0), Le(1)] = 0.8
    mask_length: Counted = 10
    mask_min_spans: Counted = 2
    shown: Share = 0.0
    final_dim: Whole = 256
    logit_temp: Positive = 0.1
    feature_penalty: Number = 10.0
    normalize: bool = False
    label_rate: Positive = 50.0
    initial_std: Positive = 0.02

    def check_together(self) -> None:
        """Refuse what fairseq's loss does not have."""
        if self.loss == "fairseq" and (self.lambdas or self.auxiliary_every != 1):
            raise UserError("lambdas, auxiliary_every: fairseq's loss has neither; leave them out, or set loss: mean")


@dataclass(frozen=True, slots=True)
class PretrainOptions:
    """A pre-training's network and objective.

    Attributes:
        config: the network's sizes.
        objective: what it is trained for.
        stored: fairseq's configuration of the model, for its checkpoints.
    """

    config: Config
    objective: Objective
    stored: Mapping[str, Any] = field(repr=False)

    @property
    def heads(self) -> int:
        """How many resolutions are predicted, finest first."""
        return 1 if self.objective.use_single_prediction else len(self.config.ratios) + 1

    @property
    def lambdas(self) -> tuple[float, ...]:
        """The weight of each predicted resolution, finest first."""
        return tuple(map(float, self.objective.lambdas)) or (1.0,) * self.heads


def read(given: str | Path | Mapping[str, Any] | config_file.Config) -> PretrainOptions:
    """The options from a `-g` file, or from its content; what is left out is as in MR-HuBERT base.

    Raises:
        UserError: an option is unknown or not possible; the message names file and line.
    """
    source = config_file.given(given)
    model = schema.read(source, ("model",), Model)
    try:
        config = fairseq_config.sizes(model, plain=not model.label_rate_ratios)
        if config.adapter_kernel % 2 == 0:
            raise UserError(
                f"conv_adapator_kernal: {config.adapter_kernel} is even, and would trim frames; give 1 or 7"
            )
    except UserError as error:
        raise schema.placed(source, ("model",), f"model.{error}") from None
    options = PretrainOptions(config, schema.read(source, ("objective",), Objective), {})
    if len(options.lambdas) != options.heads:
        told = f"lambdas: {len(options.lambdas)} for {options.heads} predicted resolutions; give one each"
        raise source.error(("objective", "lambdas"), f"objective.{told}")
    return PretrainOptions(options.config, options.objective, _stored(options))


def _stored(options: PretrainOptions) -> dict[str, Any]:
    """What fairseq's configuration of the model says besides the network's sizes."""
    objective = options.objective
    return {
        "final_dim": objective.final_dim,
        "untie_final_proj": True,
        "logit_temp": objective.logit_temp,
        "target_glu": False,
        "mask_prob": objective.mask_prob,
        "mask_length": objective.mask_length,
        "mask_selection": "static",
        "mask_other": 0.0,
        "no_mask_overlap": False,
        "mask_channel_prob": 0.0,
        "skip_masked": False,
        "skip_nomask": True,
        "dropout_features": 0.0,
        "required_seq_len_multiple": 2,
    }
