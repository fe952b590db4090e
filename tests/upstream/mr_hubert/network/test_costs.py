"""The closed form of the cost, against torch's counter of the operations that were run."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.network.config import Config
from s3prl_plugin.upstream.mr_hubert.network.costs import macs, macs_per_second
from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT

BASE = Config(dim=768, ffn_dim=3072, heads=12, layers=(4, 4, 4))
NETWORKS = {
    "base": BASE,
    "three": Config(dim=64, ffn_dim=96, heads=4, layers=(1, 2, 1, 3, 1), ratios=((1, 2), (1, 2)), adapter_kernel=7),
    "thirds": Config(dim=64, ffn_dim=96, heads=4, layers=(1, 1, 1), ratios=((2, 3),), adapter_kernel=3),
    "plain": Config(dim=64, ffn_dim=96, heads=4, layers=(1, 1, 1), plain_adapters=True, adapter_kernel=7),
    "large": Config(dim=64, ffn_dim=96, heads=4, layers=(2, 2, 2), layer_norm_first=True, extractor_mode="layer_norm"),
    "hubert": Config(dim=512, ffn_dim=96, heads=4, layers=(3,), ratios=(), middle_residual=False),
}


def counted(config, samples, stop_at=None):
    """Half of the floating-point operations that run, without computing them."""
    with torch.device("meta"):
        network = MRHuBERT(config).eval()
        waveform = torch.empty(1, samples)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(waveform, [samples], stop_at=stop_at)
    return counter.get_total_flops() / 2


@pytest.mark.parametrize("name", NETWORKS)
def test_closed_form_equals_what_runs(name):
    config = NETWORKS[name]
    for samples in (16321, 64000):
        # The front end's statistics of windows, some hundred operations a window, are not counted as its work.
        assert macs(config, samples) == pytest.approx(counted(config, samples), rel=0.002)


@pytest.mark.parametrize("name", ["base", "three", "large"])
def test_cost_up_to_every_tap(name):
    config = NETWORKS[name]
    for tap in config.taps():
        assert macs(config, 32000, tap.name) == pytest.approx(counted(config, 32000, tap.name), rel=0.003)


def test_stopping_after_encoder_0_of_the_base_network():
    share = macs_per_second(BASE, "enc0.layer3") / macs_per_second(BASE)
    assert share == pytest.approx(0.645, abs=0.01)


def test_attention_grows_with_the_duration():
    assert macs_per_second(BASE, duration_s=20) > macs_per_second(BASE, duration_s=2)
    with pytest.raises(UserError, match="no tap is called"):
        macs_per_second(BASE, "enc0.layer9")
