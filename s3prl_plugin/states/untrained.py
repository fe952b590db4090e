"""s3prl's own upstreams with random weights: the baseline that shows what an architecture alone gives."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError

# Where s3prl defines the entries of an architecture whose initialisation is known here -> the class of its network,
# which is built in full before a checkpoint's weights are put into it.
NETWORKS = {"s3prl.upstream.hubert.hubconf": "s3prl.upstream.hubert.hubert_model:HubertModel"}
SPREAD = 0.02  # of HuBERT's linear layers, as in BERT


def check(upstream: str) -> None:
    """Refuse an entry of s3prl's that cannot be given random weights; loads s3prl.hub.

    Raises:
        UserError: with the reason.
    """
    if _home(upstream) not in NETWORKS:
        raise UserError(
            f"random_weights: how {upstream} is initialised is not known here, only HuBERT's of s3prl's own upstreams; "
            "leave the option out"
        )


@contextmanager
def random_weights(upstream: str, seed: int) -> Iterator[None]:
    """Inside the block, an entry of s3prl's is loaded with the weights that its training began from.

    The checkpoint is still read, for it says how large the network is. s3prl's own constructor leaves out the
    initialisation of the linear layers that fairseq's has (`init_bert_params`); it is done here, so that the baseline
    is drawn as that of this plugin's upstreams. The random state of torch is left as it was.

    Args:
        upstream: an entry that `check` lets pass.
        seed: decides the weights.
    """
    import torch

    module, _, name = NETWORKS[_home(upstream)].partition(":")
    network = getattr(importlib.import_module(module), name)
    with torch.random.fork_rng(devices=[]), replaced(network, load_state_dict=_initialise):
        torch.manual_seed(seed)
        yield


def _initialise(network: Any, weights: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
    """Stands in for `load_state_dict`: the transformer's linear layers are drawn as HuBERT draws them."""
    import torch

    for module in network.encoder.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=SPREAD)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)


def _home(upstream: str) -> str:
    """The module in which s3prl defines an entry."""
    return getattr(getattr(importlib.import_module("s3prl.hub"), upstream, None), "__module__", "")
