"""SD: the diarization error rate of what s3prl's `diarization` downstream leaves as frame-wise predictions."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.superb.diarization_error import Turn, diarization_errors, total, turns

MEDIANS = (1, 11)  # frames
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
PLAIN = 0.5
TOLERANT_S = 0.25  # the collar of the literature on two-speaker diarization, which SUPERB's score has not


def score(folder: Path, split: str, settings: Mapping[str, Any]) -> dict[str, float]:
    """Score the predictions of a split as SUPERB does: collar 0, the lowest rate over medians and thresholds.

    Args:
        folder: where the downstream has left `frame_shift` and `scoring/predictions/*.h5`.
        split: that they are for.
        settings: of the task.

    Returns:
        `diarization/der-collar-0`: the lowest rate over medians of 1 and 11 frames and thresholds of 0.3 to 0.7;
        `diarization/der-collar-0-at-half`: that of 11 frames and 0.5, which is not chosen on the split itself;
        `diarization/der-collar-0.25`: the lowest rate where 0.25 s around every border are not scored.

    Raises:
        UserError: the corpus lacks a file, or a recording is not predicted or not the corpus's.
    """
    corpus = Path(settings["downstream_expert"]["loaderrc"][f"{split}_dir"])
    frame_s = float((folder / "frame_shift").read_text()) / SAMPLE_RATE
    reference, durations = read_rttm(corpus / "rttm"), _durations(corpus / "reco2dur")
    predicted = _predicted(folder / "scoring" / "predictions", durations, corpus)

    def rate(median: int, threshold: float, collar_s: float) -> float:
        return total(
            diarization_errors(
                reference.get(name, []), turns(smoothed(p > threshold, median), frame_s), durations[name], collar_s
            )
            for name, p in predicted.items()
        ).rate

    def rates(collar_s: float) -> dict[tuple[int, float], float]:
        return {pair: rate(*pair, collar_s) for pair in product(MEDIANS, THRESHOLDS)}

    strict = rates(0.0)
    return {
        "diarization/der-collar-0": min(strict.values()),
        "diarization/der-collar-0-at-half": strict[MEDIANS[-1], PLAIN],
        f"diarization/der-collar-{TOLERANT_S}": min(rates(TOLERANT_S).values()),
    }


def _predicted(folder: Path, durations: Mapping[str, float], corpus: Path) -> dict[str, np.ndarray]:
    """The probabilities, (T, S), of every recording of a corpus."""
    import h5py

    found = {}
    for file in sorted(folder.glob("*.h5")):
        with h5py.File(file) as content:
            found[file.stem] = np.asarray(content["T_hat"])
    for name in durations.keys() ^ found.keys():
        where = f"{folder} has predictions of it" if name in found else f"{folder} has no predictions of it"
        raise UserError(f"{corpus}: the recordings of reco2dur are to be scored, and {name}: {where}; score them anew")
    return found


def smoothed(active: np.ndarray, frames: int) -> np.ndarray:
    """Frame-wise decisions after a median filter in time.

    Args:
        active: (T, S).
        frames: of the window, odd; past the ends there is silence.
    """
    from scipy.signal import medfilt

    return medfilt(active.astype(np.float64), (frames, 1)) > 0.5


def read_rttm(file: Path) -> dict[str, list[Turn]]:
    """The turns of every recording.

    Raises:
        UserError: no such file, or a line is no speaker's turn.
    """
    found: dict[str, list[Turn]] = {}
    for number, fields in _lines(file):
        if fields[0] != "SPEAKER":
            continue
        try:
            name, start, length, speaker = fields[1], float(fields[3]), float(fields[4]), fields[7]
        except (IndexError, ValueError):
            raise UserError(f"{file}, line {number}: not `SPEAKER recording 1 start length ... speaker`") from None
        found.setdefault(name, []).append((speaker, start, start + length))
    return found


def _durations(file: Path) -> dict[str, float]:
    """The length of every recording, in seconds."""
    return {fields[0]: float(fields[1]) for _, fields in _lines(file)}


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """The fields of every line that is not empty, with its number."""
    if not file.is_file():
        raise UserError(f"{file}: no such file; diarization is scored against it")
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    return [(number, line.split()) for number, line in lines if line.strip()]
