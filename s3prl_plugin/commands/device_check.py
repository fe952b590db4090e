"""A minute's check of the device that is there: it computes what the CPU computes.

The states of a small model, the statistics of a layer and some steps of a head are computed on both, with the same
weights and the same waveforms. For `s3prl-plugin doctor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

UPSTREAM = "mr_hubert_tiny"  # comes with the package
SECONDS = (1.0, 2.3)
STEPS = 20
# the most that a result may differ from the CPU's, relative to the largest value: float32 with other orders of sums
MOST = {"states": 1e-3, "statistics": 1e-4, "head": 1e-2}


@dataclass(frozen=True, slots=True)
class Compared:
    """How far a device is from the CPU.

    Attributes:
        device: "cuda:0", ...
        name: of the device.
        differences: what was computed -> the largest difference, relative to the largest value.
    """

    device: str
    name: str
    differences: dict[str, float]

    @property
    def agrees(self) -> bool:
        """Whether all of them are as small as other orders of sums explain."""
        return all(self.differences[what] <= most for what, most in MOST.items())

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {"device": self.device, "name": self.name, "differences": self.differences, "agrees": self.agrees}


def devices() -> list[str]:
    """The devices besides the CPU that torch sees here."""
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []


def compare(device: str) -> Compared:
    """Compute the same on a device and on the CPU.

    Args:
        device: as torch names it; "cpu" compares the CPU with itself.
    """
    results = [_computed(torch.device(each)) for each in ("cpu", device)]
    differences = {what: _difference(results[0][what], results[1][what]) for what in MOST}
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU"
    return Compared(device, name, differences)


def _computed(device: torch.device) -> dict[str, torch.Tensor]:
    """States, statistics and a head's weights, computed on a device; on the CPU afterwards."""
    import s3prl_plugin
    from s3prl_plugin.analysis.statistics.moments import FoldMoments

    s3prl_plugin.register()
    from s3prl import hub

    draw = torch.Generator().manual_seed(0)
    waveforms = [torch.randn(int(16000 * seconds), generator=draw) for seconds in SECONDS]
    upstream = getattr(hub, UPSTREAM)().eval().to(device)
    with torch.no_grad():
        layers = upstream([wave.to(device) for wave in waveforms])["hidden_states"]
    states = torch.stack(list(layers))  # (layers, B, T, D)
    frames = states[-1].reshape(-1, states.shape[-1])
    moments = FoldMoments({"layer": frames.shape[1]}, [("layer", "layer")], folds=1, device=device)
    moments.update(0, {"layer": frames})
    return {
        "states": states.double().cpu(),
        "statistics": torch.as_tensor(moments.view("layer")[0].scatter).double(),
        "head": _head(frames, device).double().cpu(),
    }


def _head(frames: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What a linear head says of frames after some steps of training."""
    draw = torch.Generator().manual_seed(1)
    labels = torch.randint(5, (len(frames),), generator=draw).to(device)
    head = torch.nn.Linear(frames.shape[1], 5)
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=draw) / 10)
        head.bias.zero_()
    head = head.to(device)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.05)
    for _ in range(STEPS):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head(frames), labels).backward()
        optimizer.step()
    return head(frames).detach()


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference, relative to the largest value; infinite where it is not finite."""
    if one.shape != other.shape or not bool(other.isfinite().all()):
        return float("inf")
    return float((one - other).abs().max() / one.abs().max())
