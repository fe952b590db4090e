"""The correlation of every canonical direction, on request: spectra.jsonl beside the results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3prl_plugin import results
from s3prl_plugin.downstream.cca.default import HeldOutScores
from s3prl_plugin.results import Row

FILE_NAME = "spectra.jsonl"
_IDENTITY = (
    "upstream",
    "checkpoint_sha256",
    "corpus",
    "seed",
    "tap",
    "measure",
    "tap2",
    "upstream2",
    "subset",
    "control",
    "segments",
)


class Spectra:
    """Collects the spectra of a run's rows of the default protocol, and writes them.

    A line says which row it belongs to, and has two lists with one number per direction, in order of falling training
    correlation: `held_out` and `training` (means over folds).
    """

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] = []

    def add(self, row: Row, scores: HeldOutScores) -> None:
        """Keep the spectrum of a row.

        Args:
            row: any of the rows that were made of `scores`.
            scores: cross-validated.
        """
        self._lines.append(
            {
                **{name: getattr(row, name) for name in _IDENTITY},
                "n": row.n,
                "n_over_d": row.n_over_d,
                "held_out": scores.spectrum.tolist(),
                "training": scores.train_correlations.mean(axis=0).tolist(),
            }
        )

    def write(self, folder: str | Path, rows: Sequence[Row]) -> Path:
        """Add them to an experiment's spectra; a line of the same row is replaced. The file is written whole.

        Args:
            folder: of the experiment.
            rows: of the run, in whose order they are written, whichever was ready first.

        Returns:
            The file's path.
        """
        path = Path(folder) / FILE_NAME
        earlier = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        place = {tuple(getattr(row, name) for name in _IDENTITY): i for i, row in reversed([*enumerate(rows)])}
        mine = sorted(self._lines, key=lambda line: (place.get(_identity(line), -1), str(_identity(line))))
        merged = {_identity(line): line for line in [*map(json.loads, earlier), *mine]}
        text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in merged.values())
        results.replace_file(path, text.encode("utf-8"))
        return path


def _identity(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in _IDENTITY)
