"""How good units are: what they tell of the phones, where those are known, and how evenly they are used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import scipy.stats

from s3prl_plugin.analysis.statistics.purity import Purity, from_table, table_of
from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.pretraining.data.unit_files import UtteranceUnits
from s3prl_plugin.states.taps import SAMPLE_RATE

SILENCE = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of a set of units.

    Attributes:
        frames: how many were given units.
        clusters: K.
        used: units that occur.
        perplexity: e to the entropy of the units: how many there would be if all were used alike.
        mean_run_s: how long a unit stays the same.
        phones: purities over all frames in a phone, with silence as one phone; None where the corpus has no phones.
        speech: the same over frames that are not silent.
    """

    frames: int
    clusters: int
    used: int
    perplexity: float
    mean_run_s: float
    phones: Purity | None = None
    speech: Purity | None = None

    def as_dict(self) -> dict[str, object]:
        """For a file."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For the user."""
        said = [
            f"{self.used} of {self.clusters} units occur in {self.frames} frames, perplexity {self.perplexity:.1f}; "
            f"one stays for {1000 * self.mean_run_s:.0f} ms on average"
        ]
        for name, purity in (("with silence", self.phones), ("speech only", self.speech)):
            if purity is not None:
                said.append(
                    f"{name}: phone purity {purity.phone_purity:.3f}, cluster purity {purity.cluster_purity:.3f}, "
                    f"PNMI {purity.pnmi:.3f} ({purity.n} frames, {purity.classes} phones)"
                )
        return said


def measure(units: UtteranceUnits, utterances: Sequence[Utterance], silence: Collection[str]) -> Quality:
    """The quality of units.

    The frame of a unit is the stretch of `stride` samples that begins with it; its phone is the one at its centre, as
    in the measure mi_frames. Frames outside all phones are not asked for theirs.

    Args:
        units: of these utterances.
        utterances: with or without phones.
        silence: phone labels that are not speech.
    """
    sequences = [units.sequence(i) for i in range(len(utterances))]
    used = np.bincount(units.values, minlength=units.classes)
    runs = sum(1 + int((each[1:] != each[:-1]).sum()) for each in sequences if len(each))
    cluster, name = [np.zeros(0, np.int64)], [np.zeros(0, str)]
    for sequence, utterance in zip(sequences, utterances, strict=True):
        phone = _phones_at(utterance, len(sequence), units.stride)
        cluster.append(sequence[phone >= 0].astype(np.int64))
        labels = np.array([SILENCE if p.label in silence else p.label for p in utterance.phones] or [SILENCE])
        name.append(labels[phone[phone >= 0]])
    cluster_of, label = np.concatenate(cluster), np.concatenate(name)
    return Quality(
        frames=len(units.values),
        clusters=units.classes,
        used=int((used > 0).sum()),
        perplexity=float(np.exp(scipy.stats.entropy(used))),
        mean_run_s=len(units.values) * units.stride / SAMPLE_RATE / max(runs, 1),
        phones=_purity(cluster_of, label, units.classes),
        speech=_purity(cluster_of[label != SILENCE], label[label != SILENCE], units.classes),
    )


def _phones_at(utterance: Utterance, frames: int, stride: int) -> np.ndarray:
    """(T,) which phone of an utterance lies at every frame's centre; -1 for none. Phones do not overlap."""
    if not utterance.phones:
        return np.full(frames, -1)
    start = np.array([round(p.start_s * SAMPLE_RATE) for p in utterance.phones])
    end = np.array([round(p.end_s * SAMPLE_RATE) for p in utterance.phones])
    centre = (2 * np.arange(frames) + 1) * stride  # in half samples, so that it is exact
    phone = np.searchsorted(2 * start, centre, side="right") - 1
    return np.where((phone >= 0) & (centre < 2 * end[phone]), phone, -1)


def _purity(cluster: np.ndarray, name: np.ndarray, clusters: int) -> Purity | None:
    """Purities of frames; None where they have fewer than two phones."""
    names, label = np.unique(name, return_inverse=True)
    try:
        return from_table(table_of(cluster, label, clusters, len(names)))
    except Refused:
        return None
