"""Which frames are hidden from the network, and where it is asked what they are."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from s3prl_plugin.random_state import derived_seed
from s3prl_plugin.upstream.mr_hubert.network.config import Config, adapter_frames
from s3prl_plugin.upstream.mr_hubert.pretrain.options import Objective


class MaskedUnits(NamedTuple):
    """Where one resolution is asked for units.

    Attributes:
        rows, frames: (S,) which frame of which utterance.
        units: (S,) what it should say, 0 <= unit < K.
    """

    rows: Tensor
    frames: Tensor
    units: Tensor


class MaskingPlan(NamedTuple):
    """What a batch is trained on.

    Attributes:
        mask: (B, T) bool, the frames at the finest rate that are hidden.
        asked: per predicted resolution, finest first.
        frames: how many frames the front end makes of the batch, padding not counted.
    """

    mask: Tensor
    asked: tuple[MaskedUnits, ...]
    frames: int

    def counts(self) -> Tensor:
        """(R + 1,) float64: the frames asked for at each resolution, and the front end's frames."""
        return torch.tensor([*(len(each.units) for each in self.asked), self.frames], dtype=torch.float64)


def span_mask(frames: int, objective: Objective, draw: np.random.Generator) -> np.ndarray:
    """(T,) bool: spans of one utterance that are hidden, each of `mask_length` frames; they may overlap.

    As many spans begin as would hide `mask_prob` of the utterance if none overlapped, rounded at random, and at least
    `mask_min_spans`; an utterance that is too short for them is hidden more evenly. fairseq then evens out how much is
    hidden in the utterances of a batch; here an utterance's mask does not depend on its batch.

    Reference:
        Baevski et al., "wav2vec 2.0", 2020, section 3.1; Hsu et al., "HuBERT", 2021.
    """
    length = objective.mask_length
    spans = max(objective.mask_min_spans, int(objective.mask_prob * frames / length + draw.random()))
    starts = frames - length if frames - length > spans else min(frames, spans + 1)
    mask = np.zeros(frames, dtype=bool)
    for start in draw.choice(starts, min(spans, starts), replace=False):
        mask[start : start + length] = True
    return mask


def at_resolutions(mask: np.ndarray, ratios: Sequence[tuple[int, int]], back: bool) -> list[np.ndarray]:
    """A mask at every resolution, finest first: a frame at a lower rate is hidden when the first of its frames is.

    Args:
        mask: (T,) bool, at the finest rate.
        ratios: (up, down) of every step down.
        back: as fairseq has it, the mask comes back up through the adapters as well: the frames that count at the
            finest rate are those below a hidden frame of the lowest, although some of them were seen, and others were
            hidden but do not count. Otherwise each resolution counts what was hidden there.
    """
    down = [mask]
    for up, step in ratios:
        down.append(down[-1].repeat(up)[::step])
    if not back:
        return down
    up_again = down[-1:]
    for up, step in reversed(ratios):
        up_again.insert(0, up_again[0].repeat(step)[::up])
    return up_again


def output_frames(frames: int, config: Config) -> list[int]:
    """The frames of the network's output at every resolution, finest first, for so many of the front end."""
    down = [frames]
    for ratio in config.ratios:
        down.append(adapter_frames(down[-1], ratio, config.adapter_kernel))
    outputs = down[-1:]
    for ratio, skip in zip(reversed(config.ratios), reversed(down[:-1]), strict=True):
        outputs.insert(0, min(adapter_frames(outputs[0], ratio[::-1], config.adapter_kernel), skip))
    return outputs


def plan(
    names: Sequence[str],
    lengths: Sequence[int],
    units: Sequence[Tensor],
    config: Config,
    objective: Objective,
    key: tuple[int | str, ...],
) -> MaskingPlan:
    """Draw the masks of a batch, and find what is asked for.

    Args:
        names: of the utterances; each one's mask depends on its name, its length and `key` alone.
        lengths: samples of each.
        units: per set of units, (B, T), negative where there is none.
        config, objective: of the network and its training.
        key: such as the seed and the step.
    """
    frames = [config.feature_frames(n) for n in lengths]
    heads = 1 if objective.use_single_prediction else len(config.ratios) + 1
    hidden = np.zeros((len(names), max(frames)), dtype=bool)
    found: list[list[tuple[int, np.ndarray, np.ndarray]]] = [[] for _ in range(heads)]
    sets = [each.cpu().numpy() for each in units]
    for row, (name, count) in enumerate(zip(names, frames, strict=True)):
        draw = np.random.default_rng(derived_seed(*key, name))
        mask = span_mask(count, objective, draw)
        hidden[row, :count] = mask & (draw.random() >= objective.shown)
        masks = at_resolutions(mask, config.ratios, back=objective.loss == "fairseq")
        outputs = output_frames(count, config)
        for r in range(heads):
            targets = sets[0 if objective.use_single_target else r][row]
            found[r].append(
                (row, *_asked(masks[r], outputs[r], targets, _step(config, objective, r), _every(objective, r)))
            )
    return MaskingPlan(torch.from_numpy(hidden), tuple(_joined(each) for each in found), sum(frames))


def _asked(
    mask: np.ndarray, frames: int, units: np.ndarray, step: Fraction, every: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of one utterance at one resolution, the frames that are asked for and their units.

    Frame j has the unit `floor(j * step)`, and counts where all of the `step * every` units that it stands for are
    there: of an odd number of units the last gives no frame at half the rate.
    """
    known = int(np.count_nonzero(units >= 0))
    places = np.arange(0, min(frames, len(mask)), every)
    places = places[((places + every) * step.numerator <= known * step.denominator) & mask[places]]
    return places, units[places * step.numerator // step.denominator]


def _step(config: Config, objective: Objective, resolution: int) -> Fraction:
    """Units from one frame of a resolution to the next."""
    return Fraction(config.strides[resolution], config.strides[0]) if objective.use_single_target else Fraction(1)


def _every(objective: Objective, resolution: int) -> int:
    """Of a resolution's frames, every nth is asked for."""
    return objective.auxiliary_every if resolution else 1


def _joined(found: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> MaskedUnits:
    """What is asked for in all utterances."""
    rows = np.concatenate([np.full(len(frames), row) for row, frames, _ in found])
    frames = np.concatenate([frames for _, frames, _ in found])
    units = np.concatenate([units for _, _, units in found])
    return MaskedUnits(*(torch.from_numpy(each.astype(np.int64)) for each in (rows, frames, units)))
