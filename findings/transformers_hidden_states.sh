#!/usr/bin/env bash
# transformers 5.14.1 and 5.24.0: `output_hidden_states=True` gives other states, and in training other numbers of them,
# under the same name.
#
# The guess was: the last entry of `hidden_states` is `last_hidden_state`, and there is an entry for every layer and one
# for what enters the first. Both hold up to 5.14.1. From 5.16 on the last entry of a HuBERT (wav2vec 2.0 is built alike)
# with do_stable_layer_norm, as all large ones have, is the state *before* the encoder's final layer norm, which
# last_hidden_state has passed; a layer that LayerDrop skips in training leaves no entry, so that an index is no layer,
# and where all are skipped there is none at all. A layer-wise number of the top layer, or a weighted sum that was
# trained with one version and is used with another, changes without an error.
#
# Seen:
#   5.14.1 | post-norm: 5 entries, the last after the final norm | stable-norm: 5 entries, the last after the final norm | train mode, layerdrop .5: 5 to 5 entries
#   5.24.0 | post-norm: 5 entries, the last after the final norm | stable-norm: 5 entries, the last before the final norm | train mode, layerdrop .5: 0 to 5 entries
#
# Exit 0 while this holds, 1 when it changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
pip="$work/venv/bin/pip"
"$pip" install -q torch==2.13.0 numpy 2>"$work/pip.log" || { cat "$work/pip.log"; exit 2; }
cat >"$work/look.py" <<'PY'
import torch
import transformers
from transformers import HubertConfig, HubertModel

sizes = dict(hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, conv_dim=(8,) * 7,
             num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2)
wave = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
said = [transformers.__version__]
for stable in (False, True):
    torch.manual_seed(0)
    model = HubertModel(HubertConfig(do_stable_layer_norm=stable, feat_extract_norm="layer" if stable else "group",
                                     layerdrop=0.0, **sizes)).eval()
    torch.nn.init.normal_(model.encoder.layer_norm.weight)  # so that the last norm is no identity on what is normal
    with torch.no_grad():
        out = model(wave, output_hidden_states=True)
        same = torch.equal(out.hidden_states[-1], out.last_hidden_state)
        normed = torch.allclose(model.encoder.layer_norm(out.hidden_states[-1]), out.last_hidden_state, atol=1e-5)
    what = "after the final norm" if same else "before the final norm" if normed else "something else"
    said.append(f"{'stable' if stable else 'post'}-norm: {len(out.hidden_states)} entries, the last {what}")
torch.manual_seed(0)
model = HubertModel(HubertConfig(layerdrop=0.5, mask_time_prob=0.0, **sizes)).train()
counts = {len(model(wave, output_hidden_states=True).hidden_states) for _ in range(20)}
said.append(f"train mode, layerdrop .5: {min(counts)} to {max(counts)} entries")
print(" | ".join(said))
PY
for version in 5.14.1 5.24.0; do
    "$pip" install -q "transformers==$version" 2>"$work/pip.log" || { cat "$work/pip.log"; exit 2; }
    "$work/venv/bin/python" -W ignore "$work/look.py" 2>/dev/null
done | tee "$work/seen"
diff "$work/seen" <(sed -n 's/^#   \(5\..*\)/\1/p' "$0") && echo "as before"
