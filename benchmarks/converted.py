"""A network in the format into which s3prl converts fairseq's checkpoints, for its own `multires_hubert`."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.results import replace_file
from s3prl_plugin.upstream.mr_hubert.checkpoint import fairseq_config
from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT

PREDICTION_DIM = 256
CLASSES = 8
SPECIALS = 4  # rows of a label embedding that are no class


def save(path: str | Path, network: MRHuBERT, *, normalize: bool = False) -> Path:
    """Write a network so that s3prl loads it; what only pre-training uses is zero.

    Args:
        path: the file.
        network: a multi-resolution one.
        normalize: waveforms are layer-normalised first.

    Returns:
        The file's path.

    Raises:
        UserError: it is plain HuBERT, which has another format.
    """
    config = network.config
    if not config.middle_residual:
        raise UserError("s3prl's multires_hubert takes no plain HuBERT")
    weights = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    weights["mask_emb"] = torch.zeros(config.dim)
    for i in range(len(config.ratios) + 1):
        weights[f"final_projs.{i}.weight"] = torch.zeros(PREDICTION_DIM, config.dim)
        weights[f"final_projs.{i}.bias"] = torch.zeros(PREDICTION_DIM)
        weights[f"label_embs_concat.{i}"] = torch.zeros(CLASSES + SPECIALS, PREDICTION_DIM)
    content = {
        "task_cfg": {"normalize": normalize, "label_rate": 50.0},
        "model_cfg": fairseq_config.write(config) | {"label_rate": 50.0, "final_dim": PREDICTION_DIM},
        "model_weight": weights,
        "dictionaries_symbols": [[str(i) for i in range(CLASSES + SPECIALS)]] * (len(config.ratios) + 1),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    replace_file(Path(path), buffer.getvalue())
    return Path(path)
