"""The loss of pre-training and its gradients against a computation from the definition, in plain loops, in float64.

The definition's network is tests/support/literal_mr_hubert.py, one utterance at a time; its loss is written below.
"""

from dataclasses import asdict

import pytest
import torch
from literal_mr_hubert import _Literal
from tones import MODEL

from s3prl_plugin.upstream.mr_hubert.checkpoint.fairseq_config import Model
from s3prl_plugin.upstream.mr_hubert.pretrain import masks as pretrain_masks
from s3prl_plugin.upstream.mr_hubert.pretrain import options as pretrain_options
from s3prl_plugin.upstream.mr_hubert.pretrain.loss import combined
from s3prl_plugin.upstream.mr_hubert.pretrain.network import PretrainNetwork

SAMPLES = (9279, 6400)  # 28 frames, and 19: an odd number at 20 ms
CLASSES = 5
QUIET = dict.fromkeys(("dropout", "attention_dropout", "dropout_input", "encoder_layerdrop"), 0.0)


class Definition(_Literal):
    """The literal network, with frames hidden before the first block, and the front end's output kept."""

    def __init__(self, leaves, model, mask):
        super().__init__(leaves, model)
        self.mask = mask

    def norm(self, x, name):
        if name == "layer_norm":
            self.convolved = x
        return super().norm(x, name)

    def front_end(self, x):
        rows = super().front_end(x)
        return torch.stack([self.p["mask_emb"] if hidden else row for row, hidden in zip(rows, self.mask, strict=True)])


def cross_entropy(p, head, frame, unit, temperature):
    """-log softmax of one frame: the right unit against every other row, specials included."""
    projected = p[f"{head}.weight"] @ frame + p[f"{head}.bias"]
    rows = p[head.replace("final_projs", "label_embs_concat").replace("final_proj", "label_embs_concat")]
    logits = [torch.dot(projected, row) / projected.norm() / row.norm() / temperature for row in rows]
    right = logits[unit + 4]
    others = [logit for k, logit in enumerate(logits) if k != unit + 4]
    return torch.log(torch.exp(right) + sum(map(torch.exp, others))) - right


def asked(kind, factors, resolution, mask, units, frames, every=1):
    """[(frame, unit)] of one utterance at a resolution; `factors` are 20 ms frames per frame of each resolution."""
    found = []
    factor, lowest = factors[resolution], factors[-1]
    for j in range(frames):
        if j % every:
            continue
        first = j * factor
        if first + factor * every > len(units):
            continue  # an odd last frame
        # fairseq's mask comes down to the lowest rate and up again
        if mask[first // lowest * lowest if kind == "fairseq" else first]:
            found.append((j, int(units[first])))
    return found


def defined_loss(leaves, model, objective, waveforms, masks, units):
    """The loss from its definition."""
    ratios = model["label_rate_ratios"]
    factors = [1]
    for up, down in zip(ratios[::2], ratios[1::2], strict=True):
        factors.append(factors[-1] * down // up)
    heads = 1 if objective.get("use_single_prediction") else len(factors)
    sums, counts, squares, seen = [0.0] * heads, [0] * heads, 0.0, 0
    for waveform, mask, targets in zip(waveforms, masks, units, strict=True):
        network = Definition(leaves, model, mask)
        outputs = network.run(waveform.double(), False)
        squares, seen = squares + (network.convolved**2).sum(), seen + network.convolved.numel()
        for r in range(heads):
            output = outputs[f"res_out{len(factors) - 1 - r}"]
            every = objective.get("auxiliary_every", 1) if r else 1
            head = f"final_projs.{r}" if ratios else "final_proj"
            for j, unit in asked(objective["loss"], factors, r, mask, targets, len(output), every):
                sums[r] = sums[r] + cross_entropy(leaves, head, output[j], unit, 0.1)
                counts[r] += 1
    penalty = 10 * squares / seen
    if objective["loss"] == "fairseq":
        return sum(sums) / counts[0] + penalty, counts
    lambdas = objective.get("lambdas", [1.0] * heads)
    return sum(w * s / n for w, s, n in zip(lambdas, sums, counts, strict=True)) + penalty, counts


def named(network):
    """fairseq's name of every parameter -> ours."""
    plain = not network.network.config.middle_residual
    found = {(n.removeprefix("middle_") if plain else n): p for n, p in network.network.named_parameters()}
    found["mask_emb"] = network.mask_emb
    for i, head in enumerate(network.heads):
        projection = "final_proj" if plain else f"final_projs.{i}"
        found |= {f"{projection}.weight": head.projection.weight, f"{projection}.bias": head.projection.bias}
        found["label_embs_concat" if plain else f"label_embs_concat.{i}"] = head.embeddings
    return found


CASES = {
    "two rates": ({}, {"loss": "mean", "lambdas": [1.0, 0.5]}),
    "two rates, fairseq": ({}, {"loss": "fairseq"}),
    "three rates": ({"label_rate_ratios": [1, 2, 1, 2]}, {"loss": "mean", "lambdas": [1.0, 0.5, 0.25]}),
    "three rates, fairseq": ({"label_rate_ratios": [1, 2, 1, 2]}, {"loss": "fairseq"}),
    "wide adapters": ({"conv_adapator_kernal": 7}, {"loss": "mean"}),
    "plain sampling": ({"use_plain_updownsample": True}, {"loss": "mean"}),
    "single prediction": ({}, {"loss": "mean", "use_single_prediction": True}),
    "single prediction, fairseq": ({}, {"loss": "fairseq", "use_single_prediction": True}),
    "20 ms": ({"label_rate_ratios": [1, 1]}, {"loss": "mean"}),
    "20 ms, even frames": ({"label_rate_ratios": [1, 1]}, {"loss": "mean", "auxiliary_every": 2}),
    "plain HuBERT": ({"label_rate_ratios": []}, {"loss": "fairseq"}),
    "pre-LN": ({"layer_norm_first": True, "extractor_mode": "layer_norm"}, {"loss": "mean"}),
}


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_are_those_of_the_definition(case):
    changed, objective = CASES[case]
    multiplier = 0.1
    model = {**MODEL, **QUIET, "feature_grad_mult": multiplier, **changed}
    options = pretrain_options.read({"model": model, "objective": {"final_dim": 8, **objective}})
    heads = options.heads
    network = PretrainNetwork(options, [CLASSES] * heads, seed=3).double()
    draw = torch.Generator().manual_seed(4)
    waveforms = [torch.randn(n, generator=draw) for n in SAMPLES]
    frames = [options.config.feature_frames(n) for n in SAMPLES]
    assert [n % 2 for n in frames] == [0, 1]
    units = [torch.randint(CLASSES, (n,), generator=draw) for n in frames]
    batch = torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True).double()
    padded = torch.nn.utils.rnn.pad_sequence(units, batch_first=True, padding_value=-1)
    plan = pretrain_masks.plan("ab", SAMPLES, [padded], options.config, options.objective, (7,))
    kind, penalty = options.objective.loss, options.objective.feature_penalty
    loss = combined(network(batch, SAMPLES, plan), plan.counts(), kind, options.lambdas, penalty)
    loss.backward()

    ours = named(network)
    leaves = {name: p.detach().clone().requires_grad_() for name, p in ours.items()}
    stored = {**asdict(Model()), **model}
    stored["_name"] = "multires_hubert" if stored["label_rate_ratios"] else "hubert"
    masks = [plan.mask[i, :n].tolist() for i, n in enumerate(frames)]
    wanted, counts = defined_loss(leaves, stored, objective, waveforms, masks, units)
    wanted.backward()

    assert plan.counts()[:-1].tolist() == counts
    assert min(counts) > 1
    assert 0.2 < plan.mask.double().mean() < 0.8
    torch.testing.assert_close(loss, wanted, rtol=1e-9, atol=0)
    for name, leaf in leaves.items():
        gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        gradient = gradient * (multiplier if name.startswith("feature_extractor") else 1)
        found = torch.zeros_like(leaf) if ours[name].grad is None else ours[name].grad
        tolerance = 1e-8 * max(float(gradient.abs().max()), 1e-3)
        assert (found - gradient).abs().max() < tolerance, name


def test_one_file_of_units_for_each_rate():
    objective = {"use_single_target": False, "loss": "mean"}
    options = pretrain_options.read({"model": {**MODEL, **QUIET}, "objective": objective})
    fine, coarse = torch.arange(28)[None] % CLASSES, 10 + torch.arange(14)[None]
    plan = pretrain_masks.plan("a", SAMPLES[:1], [fine, coarse], options.config, options.objective, (1,))
    hidden = plan.mask[0]
    assert plan.asked[0].units.tolist() == [int(fine[0, i]) for i in range(28) if hidden[i]]
    assert plan.asked[1].units.tolist() == [10 + j for j in range(14) if hidden[2 * j]]


def test_even_frames_at_20_ms_have_the_targets_of_40_ms():
    units = torch.randint(CLASSES, (1, 27), generator=torch.Generator().manual_seed(0))
    found = []
    for ratios, every in (([1, 2], 1), ([1, 1], 2)):
        model, objective = {**MODEL, "label_rate_ratios": ratios}, {"auxiliary_every": every}
        options = pretrain_options.read({"model": model, "objective": objective})
        plan = pretrain_masks.plan("a", [8960], [units], options.config, options.objective, (2,))
        found.append(plan)
    low, even = found[0].asked[1], found[1].asked[1]
    assert len(low.units) > 3
    assert even.units.tolist() == low.units.tolist()
    assert even.frames.tolist() == [2 * j for j in low.frames.tolist()]
