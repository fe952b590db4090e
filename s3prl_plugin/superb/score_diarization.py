"""SD: the diarization error rate of what s3prl's `diarization` downstream leaves as frame-wise predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from s3prl_plugin.errors import UserError
from s3prl_plugin.superb.diarization_error import Turn, diarization_errors, total, turns
from s3prl_plugin.taps import SAMPLE_RATE

COLLAR_S = 0.25
MEDIAN = 11  # frames
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
PLAIN = 0.5


def score(folder: Path, split: str, settings: Mapping[str, Any]) -> dict[str, float]:
    """Score the predictions of a split as SUPERB does: collar 0.25 s, median filter over 11 frames.

    Args:
        folder: where the downstream has left `frame_shift` and `scoring/predictions/*.h5`.
        split: that they are for.
        settings: of the task.

    Returns:
        `diarization/der`: the lowest rate over SUPERB's thresholds (0.3 to 0.7); `diarization/der-0.5`: that at 0.5,
        which is not chosen on the split itself.

    Raises:
        UserError: the corpus lacks a file.
    """
    import h5py

    corpus = Path(settings["downstream_expert"]["loaderrc"][f"{split}_dir"])
    frame_s = float((folder / "frame_shift").read_text()) / SAMPLE_RATE
    reference, durations = read_rttm(corpus / "rttm"), _durations(corpus / "reco2dur")
    predicted = {}
    for file in sorted((folder / "scoring" / "predictions").glob("*.h5")):
        with h5py.File(file) as content:
            predicted[file.stem] = np.asarray(content["T_hat"])
    rates = {}
    for threshold in THRESHOLDS:
        rates[threshold] = total(
            diarization_errors(
                reference.get(name, []), turns(smoothed(p > threshold, MEDIAN), frame_s), durations[name], COLLAR_S
            )
            for name, p in predicted.items()
        ).rate
    return {"diarization/der": min(rates.values()), f"diarization/der-{PLAIN}": rates[PLAIN]}


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
