"""MR-HuBERT with what its pre-training needs: the vector in place of hidden frames, and the prediction heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from s3prl_plugin.random_state import derived_seed
from s3prl_plugin.upstream.mr_hubert.network.frames import valid_frames
from s3prl_plugin.upstream.mr_hubert.network.model import Block, MRHuBERT
from s3prl_plugin.upstream.mr_hubert.pretrain.loss import Sums, UnitHead
from s3prl_plugin.upstream.mr_hubert.pretrain.masks import MaskingPlan
from s3prl_plugin.upstream.mr_hubert.pretrain.options import PretrainOptions

INITIAL_STD = 0.02  # of the network's own initialisation


class PretrainNetwork(nn.Module):
    """The network, the mask's vector and the heads.

    Args:
        options: its sizes and objective.
        classes: K, per predicted resolution, finest first.
        seed: decides the weights. Each module's depend on its name beside it, so that networks that share a part begin
            with the same weights in it.
    """

    def __init__(self, options: PretrainOptions, classes: Sequence[int], seed: int):
        super().__init__()
        config, objective = options.config, options.objective
        final_dim = objective.final_dim or config.dim
        with torch.random.fork_rng(devices=[]):
            self.network = MRHuBERT(config)
            self.heads = nn.ModuleList(UnitHead(config.dim, final_dim, k, objective.logit_temp) for k in classes)
            self.mask_emb = nn.Parameter(torch.empty(config.dim))
            self._initialise(seed, objective.initial_std)
        self.blocks = tuple(spec.name for spec in config.blocks)

    def _initialise(self, seed: int, std: float) -> None:
        self.network.reset_parameters(lambda name: torch.manual_seed(derived_seed(seed, "weights", name)))
        with torch.no_grad():
            for layer in self.network.layers_in_order():
                for module in layer.modules():
                    if isinstance(module, nn.Linear):
                        module.weight *= std / INITIAL_STD
        for i, head in enumerate(self.heads):
            assert isinstance(head, UnitHead)
            torch.manual_seed(derived_seed(seed, "weights", f"final_projs.{i}"))
            head.reset_parameters()
        torch.manual_seed(derived_seed(seed, "weights", "mask_emb"))
        nn.init.uniform_(self.mask_emb)

    def drop_layers(self, *key: int | str) -> None:
        """Let `key` decide which layers are dropped until it is given anew, each block's for itself."""
        network = self.network
        blocks = (*network.encoders, network.middle_encoder, *network.decoders)
        for name, block in zip(self.blocks, blocks, strict=True):
            assert isinstance(block, Block)
            block.generator = torch.Generator().manual_seed(derived_seed(*key, name))

    def forward(self, waveforms: Tensor, lengths: Sequence[int], plan: MaskingPlan) -> Sums:
        """The sums that the loss is made of.

        Args:
            waveforms: (B, L) samples at 16 kHz, zero past each one's end.
            lengths: the samples of each.
            plan: what is hidden and what is asked for.
        """
        device = waveforms.device
        convolved, frames = self.network.convolved(waveforms, lengths, exact=True)
        valid = valid_frames(frames, convolved)
        squares = convolved.to(self.mask_emb.dtype).square().mean(2)  # never in half precision
        squares = (squares if valid is None else squares * valid).sum()
        x = self.network.projected(convolved)
        x = torch.where(plan.mask.to(device)[..., None], self.mask_emb.to(x.dtype), x)
        outputs = [state.x for state in self.network.states(x, frames, True) if state.name.startswith("res_out")]
        parts = []
        for head, output, asked in zip(self.heads, reversed(outputs), plan.asked, strict=False):
            parts.append(head(output[asked.rows.to(device), asked.frames.to(device)], asked.units.to(device)))
        return Sums(parts, squares)

    def stored_heads(self) -> dict[str, Tensor]:
        """What is not in `network`, under fairseq's names."""
        stored = {"mask_emb": self.mask_emb}
        for i, head in enumerate(self.heads):
            projection, embeddings = f"final_projs.{i}", f"label_embs_concat.{i}"
            if not self.network.config.middle_residual:
                projection, embeddings = "final_proj", "label_embs_concat"
            assert isinstance(head, UnitHead)
            stored |= {f"{projection}.{name}": tensor for name, tensor in head.projection.named_parameters()}
            stored[embeddings] = head.embeddings
        return {name: tensor.detach().cpu() for name, tensor in stored.items()}
