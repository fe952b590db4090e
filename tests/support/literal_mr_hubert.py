"""MR-HuBERT for one utterance, written down from its description and as slowly as that reads; in float64.

An independent definition: it shares no line with the implementation, takes the state dict and fairseq's configuration
as they lie in a checkpoint, and is itself held against fairseq's own states. No padding, no batches, no layouts.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F


def states(state, model, waveform, normalize=False):
    """tap name -> (T, D) for one waveform, (L,)."""
    return _Literal(state, model).run(torch.as_tensor(waveform).double(), normalize)


class _Literal:
    def __init__(self, state, model):
        self.p = {name: tensor.double() for name, tensor in state.items()}
        self.model = model
        self.post_ln = not model["layer_norm_first"]
        self.seen = {}

    def run(self, x, normalize):
        if normalize:
            x = (x - x.mean()) / torch.sqrt(x.var(correction=0) + 1e-5)
        x = self.front_end(x)
        if self.model["_name"] == "hubert":
            self.seen["res_out0"] = self.block("encoder", "mid", x)
            return self.seen
        ratios = np.reshape(self.model["label_rate_ratios"], (-1, 2)).tolist()
        skips = []
        for i, (up, down) in enumerate(ratios):
            skips.append(self.block(f"encoders.{i}", f"enc{i}", x))
            x = self.adapter(f"downsample_modules.{i}", skips[-1], up, down)
        x = x + self.block("middle_encoder", "mid", x)
        self.seen["res_out0"] = x
        for i in range(len(ratios)):
            j = len(ratios) - 1 - i
            up, down = ratios[j]
            x = self.block(f"decoders.{i}", f"dec{i}", self.adapter(f"upsample_modules.{j}", x, down, up))
            frames = min(len(x), len(skips[j]))
            x = x[:frames] + skips[j][:frames]
            self.seen[f"res_out{i + 1}"] = x
        return self.seen

    def front_end(self, x):
        x = x[None]
        layers = eval(self.model["conv_feature_layers"])  # a string of our own tests, not of a file
        for i, (channels, _, stride) in enumerate(layers):
            name = f"feature_extractor.conv_layers.{i}"
            x = F.conv1d(x[None], self.p[f"{name}.0.weight"], self.p.get(f"{name}.0.bias"), stride=stride)[0]
            if self.model["extractor_mode"] == "layer_norm":
                x = self.norm(x.T, f"{name}.2.1").T
            elif i == 0:
                x = F.group_norm(x[None], channels, self.p[f"{name}.2.weight"], self.p[f"{name}.2.bias"])[0]
            x = F.gelu(x)
        x = self.norm(x.T, "layer_norm")
        return self.linear(x, "post_extract_proj") if "post_extract_proj.weight" in self.p else x

    def block(self, name, tap, x):
        if f"{name}.pos_conv.0.weight_g" in self.p:
            v, g = self.p[f"{name}.pos_conv.0.weight_v"], self.p[f"{name}.pos_conv.0.weight_g"]
            weight = torch.stack([g[0, 0, k] * v[:, :, k] / v[:, :, k].norm() for k in range(v.shape[2])], dim=2)
            groups, kernel = x.shape[1] // v.shape[1], v.shape[2]
            y = F.conv1d(x.T[None], weight, self.p[f"{name}.pos_conv.0.bias"], padding=kernel // 2, groups=groups)[0].T
            x = x + F.gelu(y[: len(x)])
        if self.post_ln:
            x = self.norm(x, f"{name}.layer_norm")
        self.seen[f"{tap}.pre"] = x
        i = 0
        while f"{name}.layers.{i}.fc1.weight" in self.p:
            x = self.layer(f"{name}.layers.{i}", x)
            self.seen[f"{tap}.layer{i}"] = x
            i += 1
        if not self.post_ln:
            x = self.norm(x, f"{name}.layer_norm")
            del self.seen[f"{tap}.layer{i - 1}"]
            self.seen[f"{tap}.out"] = x
        return x

    def layer(self, name, x):
        if self.post_ln:
            x = self.norm(x + self.attention(f"{name}.self_attn", x), f"{name}.self_attn_layer_norm")
            return self.norm(x + self.feed_forward(name, x), f"{name}.final_layer_norm")
        x = x + self.attention(f"{name}.self_attn", self.norm(x, f"{name}.self_attn_layer_norm"))
        return x + self.feed_forward(name, self.norm(x, f"{name}.final_layer_norm"))

    def attention(self, name, x):
        heads = self.model["encoder_attention_heads"]
        q, k, v = (self.linear(x, f"{name}.{part}_proj").chunk(heads, dim=1) for part in "qkv")
        mixed = []
        for head in range(heads):
            scores = q[head] @ k[head].T / math.sqrt(q[head].shape[1])
            mixed.append(torch.softmax(scores, dim=1) @ v[head])
        return self.linear(torch.cat(mixed, dim=1), f"{name}.out_proj")

    def feed_forward(self, name, x):
        return self.linear(F.gelu(self.linear(x, f"{name}.fc1")), f"{name}.fc2")

    def adapter(self, name, x, up, down):
        scale = math.sqrt(0.4)
        x, repeated = x.T[None], None
        if f"{name}.upsample_conv.0.weight" in self.p:
            weight = self.p[f"{name}.upsample_conv.0.weight"]
            y = F.gelu(self.group_norm(F.conv_transpose1d(x, weight, stride=up, output_padding=up - 1), name, "up"))
            repeated = torch.repeat_interleave(x, up, dim=2)
            x = (y[..., : repeated.shape[2]] + repeated) * scale
        if f"{name}.downsample_conv.0.weight" in self.p:
            weight = self.p[f"{name}.downsample_conv.0.weight"]
            y = F.conv1d(x, weight, stride=down, padding=(weight.shape[2] - 1) // 2)
            y = F.gelu(self.group_norm(y, name, "down"))
            frames = min(y.shape[2], x[..., ::down].shape[2])
            x = (y[..., :frames] + x[..., ::down][..., :frames]) * scale
            if repeated is not None:
                x = (x + repeated[..., ::down][..., :frames]) * scale
        return x[0].T

    def group_norm(self, x, name, which):
        norm = f"{name}.{which}sample_conv.2"
        return F.group_norm(x, 1, self.p[f"{norm}.weight"], self.p[f"{norm}.bias"])

    def linear(self, x, name):
        return x @ self.p[f"{name}.weight"].T + self.p[f"{name}.bias"]

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.p[f"{name}.weight"], self.p[f"{name}.bias"])
