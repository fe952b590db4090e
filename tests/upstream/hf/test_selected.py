"""Layer selection: an upstream of this entry can be cut, frozen and begun anew at the chosen tap."""

import hf_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.results import Row
from s3prl_plugin.select import layers
from s3prl_plugin.select.source import Source

pytest.importorskip("transformers")
s3prl_plugin.register()


@pytest.mark.parametrize(("way", "options"), [
    ("cut", {"stop_at": "layer1"}), ("reset", {"reset_top": 1}), ("freeze", {"freeze_to": "layer1"}),
])  # fmt: skip
def test_the_options_that_are_written_are_those_of_the_entry(tmp_path, way, options):
    from s3prl import hub

    upstream = hub.hf(ckpt=hf_models.save("wavlm-stable", tmp_path / "model"))
    rows = [
        Row(upstream="hf", measure="cca_phone", score="r2", headline=True, value=0.1, tap=tap.name, tap_index=tap.index,
            block=tap.block, stride=tap.stride)
        for tap in upstream.taps
    ]  # fmt: skip
    source = Source(folder=tmp_path, rows=rows, upstream="hf", checkpoint=str(tmp_path / "model"))
    assert source.is_own
    taps = source.taps()
    assert [row.tap for row in taps] == ["layer0", "layer1", "out"]
    assert layers.options_of(way, taps[1], taps, {}) == options
    assert torch.isfinite(
        hub.hf(ckpt=str(tmp_path / "model"), **options)([torch.randn(9000)])["last_hidden_state"]
    ).all()
