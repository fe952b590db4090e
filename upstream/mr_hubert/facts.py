"""What a checkpoint says of its architecture and of its training, in words that reports compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.upstream.mr_hubert.checkpoint.load import Checkpoint
from s3prl_plugin.upstream.mr_hubert.network.config import Config


def architecture(config: Config) -> dict[str, Any]:
    """The sizes of a network; blocks in execution order, resolutions from the finest."""
    return {
        "kind": "MR-HuBERT" if config.middle_residual else "HuBERT",
        "blocks": [block.name for block in config.blocks],
        "layers": list(config.layers),
        "resolutions_ms": [_milliseconds(stride) for stride in config.strides],
        "block_ms": [_milliseconds(block.stride) for block in config.blocks],
        "ratios": [list(ratio) for ratio in config.ratios],
        "dim": config.dim,
        "ffn_dim": config.ffn_dim,
        "attention_heads": config.heads,
        "adapter_kernel": config.adapter_kernel if config.ratios else None,
        "plain_adapters": config.plain_adapters,
        "layer_norm_first": config.layer_norm_first,
        "extractor_mode": config.extractor_mode,
        "conv_layers": [list(layer) for layer in config.conv_layers],
        "positional_kernel": config.pos_kernel,
    }


def training(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a checkpoint says of its own training.

    One of this plugin's own pre-training says how its losses were weighed (`objective`); any other is taken for
    fairseq's.

    `prediction_heads` are counted in the file; 0 where it holds none. `auxiliary_loss` says whether the lower rates had
    a loss of their own: by the number of heads, and in a file without heads by its configuration
    (`auxiliary_loss_from` says which).

    Args:
        checkpoint: as it was read.
    """
    config, heads = checkpoint.config, checkpoint.heads
    several = bool(config.ratios)
    auxiliary = several and (heads > 1 if heads else not checkpoint.single_prediction)
    return {
        "train_step": checkpoint.train_step,
        "prediction_heads": heads,
        "auxiliary_loss": auxiliary,
        "auxiliary_loss_from": "heads" if heads else "configuration",
        "loss_weights": loss_weights(config, auxiliary, _lambdas(checkpoint)),
        "single_prediction": checkpoint.single_prediction,
        "single_target": checkpoint.single_target,
        "label_rate": checkpoint.label_rate,
        **{name: checkpoint.objective[name] for name in ("auxiliary_every", "seed") if name in checkpoint.objective},
    }


def loss_weights(config: Config, auxiliary: bool, lambdas: Sequence[float] | None = None) -> list[dict[str, Any]]:
    """The weight of every prediction's mean cross-entropy in the loss, from the finest rate down.

    fairseq sums the cross-entropy over the masked frames of all resolutions and divides by the masked frames of the
    finest one, so a prediction at half the rate weighs half.

    Args:
        config: of the network.
        auxiliary: whether rates below the finest have a loss.
        lambdas: the weights, where they are not fairseq's.
    """
    steps = len(config.ratios)
    blocks = [f"dec{steps - 1 - rate}" if rate < steps else "mid" for rate in range(steps + 1)]
    weights = lambdas if lambdas is not None else [config.hop / stride for stride in config.strides]
    found = [
        {"block": block, "resolution_ms": _milliseconds(stride), "weight": weight}
        for block, stride, weight in zip(blocks, config.strides, weights, strict=False)  # one lambda for one loss
    ]
    return found if auxiliary else found[:1]


def _lambdas(checkpoint: Checkpoint) -> list[float] | None:
    """Weights that are not fairseq's."""
    lambdas = checkpoint.objective.get("lambdas")
    return lambdas if checkpoint.objective.get("loss") == "mean" and isinstance(lambdas, list) else None


def _milliseconds(stride: int) -> float:
    return 1000 * stride / SAMPLE_RATE
