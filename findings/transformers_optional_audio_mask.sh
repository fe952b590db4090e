#!/usr/bin/env bash
# transformers 5.24.0: AudioFlamingo3Encoder declares `input_features_mask` as optional and fails without it.
#
# The guess was: what a signature gives the default None can be left out, as in the encoders that it is built like
# (Qwen2-Audio's, Whisper's). Audio Flamingo 3's encoder sums the mask to find the lengths, so that a call with the
# features alone, as Whisper's encoder takes them, is an AttributeError about NoneType that names no argument; with a
# mask of ones it runs.
#
# Seen:
#   5.24.0 | Whisper, features alone: states | Audio Flamingo 3, features alone: AttributeError | with a mask of ones: states
#
# Exit 0 while this holds, 1 when it changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 numpy transformers==5.24.0 2>"$work/pip.log" || { cat "$work/pip.log"; exit 2; }
cat >"$work/look.py" <<'PY'
import inspect

import torch
import transformers
from transformers import AudioFlamingo3EncoderConfig, WhisperConfig
from transformers.models.audioflamingo3.modeling_audioflamingo3 import AudioFlamingo3Encoder
from transformers.models.whisper.modeling_whisper import WhisperEncoder

features = torch.zeros(1, 16, 3000)  # 30 s
whisper = WhisperEncoder(WhisperConfig(num_mel_bins=16, d_model=8, encoder_layers=1, encoder_attention_heads=2,
                                       encoder_ffn_dim=16)).eval()
flamingo = AudioFlamingo3Encoder(AudioFlamingo3EncoderConfig(num_mel_bins=16, hidden_size=8, num_hidden_layers=1,
                                                            num_attention_heads=2, intermediate_size=16)).eval()
assert inspect.signature(flamingo.forward).parameters["input_features_mask"].default is None


def of(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "states"


print(f"{transformers.__version__} | Whisper, features alone: {of(lambda: whisper(features))} | "
      f"Audio Flamingo 3, features alone: {of(lambda: flamingo(features))} | with a mask of ones: "
      f"{of(lambda: flamingo(features, input_features_mask=torch.ones(1, 3000, dtype=torch.long)))}")
PY
"$work/venv/bin/python" -W ignore "$work/look.py" 2>/dev/null | tee "$work/seen"
diff "$work/seen" <(sed -n 's/^#   \(5\..*\)/\1/p' "$0") && echo "as before"
