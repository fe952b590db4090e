"""MR-HuBERT with what its pre-training needs: the vector in place of hidden frames, and the prediction heads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from s3prl_plugin.random_state import derived_seed
from s3prl_plugin.upstream.mr_hubert.network.frames import valid_frames
from s3prl_plugin.upstream.mr_hubert.network.model import Block, Layer, MRHuBERT
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
        self._seed, self._std = seed, objective.initial_std
        self._running = (self.network,)  # in a tuple, so that its parameters are there once

    @property
    def running(self) -> MRHuBERT:
        """The network that is trained now: the whole one, or one of its first layers."""
        return self._running[0]

    def run_layers(self, count: int) -> None:
        """From now on, run the first so many transformer layers only; only a plain HuBERT can run less than all."""
        whole = self.network
        self._running = (whole if count == len(whole.layers_in_order()) else first_layers(whole, count),)

    def draw_anew(self, layers: Iterable[Layer], *key: int | str) -> None:
        """Give transformer layers of the network random weights, which `key` and the seed decide."""
        names = {module: name for name, module in self.network.named_modules()}
        with torch.random.fork_rng(devices=[]):
            for layer in layers:
                torch.manual_seed(derived_seed(self._seed, "weights", names[layer], *key))
                layer.reset_parameters()
                _spread(layer, self._std)

    def _initialise(self, seed: int, std: float) -> None:
        self.network.reset_parameters(lambda name: torch.manual_seed(derived_seed(seed, "weights", name)))
        for layer in self.network.layers_in_order():
            _spread(layer, std)
        for i, head in enumerate(self.heads):
            assert isinstance(head, UnitHead)
            torch.manual_seed(derived_seed(seed, "weights", f"final_projs.{i}"))
            head.reset_parameters()
        torch.manual_seed(derived_seed(seed, "weights", "mask_emb"))
        nn.init.uniform_(self.mask_emb)

    def drop_layers(self, *key: int | str) -> None:
        """Let `key` decide which layers are dropped until it is given anew, each block's for itself."""
        network = self.running
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
        network = self.running
        convolved, frames = network.convolved(waveforms, lengths, exact=True)
        valid = valid_frames(frames, convolved)
        squares = convolved.to(self.mask_emb.dtype).square().mean(2)  # never in half precision
        squares = (squares if valid is None else squares * valid).sum()
        x = network.projected(convolved)
        x = torch.where(plan.mask.to(device)[..., None], self.mask_emb.to(x.dtype), x)
        outputs = [state.x for state in network.states(x, frames, True) if state.name.startswith("res_out")]
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


def first_layers(network: MRHuBERT, count: int) -> MRHuBERT:
    """A plain HuBERT's first layers as a network of their own, with the same parameters."""
    with torch.device("meta"):
        shallow = MRHuBERT(replace(network.config, layers=(count,)))
    own, whole = shallow.middle_encoder, network.middle_encoder
    for name, part in network.named_children():
        if part is not whole:
            setattr(shallow, name, part)
    for name, part in whole.named_children():
        setattr(own, name, nn.ModuleList(list(whole.layers)[:count]) if name == "layers" else part)
    return shallow


def _spread(layer: Layer, std: float) -> None:
    """Scale a layer's new weights."""
    with torch.no_grad():
        for module in layer.modules():
            if isinstance(module, nn.Linear):
                module.weight *= std / INITIAL_STD
