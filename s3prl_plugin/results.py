"""The results row, and `results.jsonl` in an experiment's folder."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from s3prl_plugin.errors import UserError

FILE_NAME = "results.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number (or the stated refusal of one), and everything that says which number it is.

    The fields above `value` are the row's identity: a rerun replaces the row with the same identity.

    Attributes:
        weights: "trained", "random", or None for an upstream without weights.
        corpus_kind: "real" or "generated".
        measure: cca_phone, mi_word, SID, ...
        protocol: "default", "published", or None for a task.
        score: which score of the measure: corrected, r, pwcca, adjusted, mi_over_h, accuracy, ...
        headline: True for the one score of a measure that tables show.
        tap, tap_index, block, stride: where it was measured; None for a task's score.
        tap2, upstream2: the other side of a pair.
        subset: the part of the frames that is used, such as "speech"; None for all.
        control: what is held constant (partial CCA), such as "duration"; None for nothing.
        segments: how frames make a segment: "overlap" (weighted by common time) or "centre" (the one frame at its
            midpoint); None for the mean of whole frames.
        frame_stride: samples from one frame to the next of the grid on which all taps were seen; None where each was
            seen at its own stride.
        units: of a discrete sequence, what its units are: "codes" (of the model), "k-means 100".
        n: rows scored (held-out rows over all folds); n_over_d: training rows over the tap's dimension.
        speakers: of the corpus that was analysed; None for a task.
        value: the number; None when refused.
        refused: why there is no number, and what would help.
        grey: a number that the data barely supports, and why; tables show it grey.
        trivial: the two views are the same by construction (a base tap with itself).
        chance: what the score would be without any information.
        permutations: how many permutations of the labels `chance` is the mean of; None where it follows from theory.
        chance_high: what 95 % of them do not exceed.
        replicates: the score without each fold (or speaker) in turn, for paired differences with another row that has
            the same `folds_id`; of `corrected`, before the signed root.
        folds_id: tells which folds of which corpus these are.
        params, macs_per_s: of the upstream; multiply-accumulates for one second of audio, alone.
        pretraining, unit_iteration: what the upstream was trained on, and the HuBERT iteration that made its target
            units (0 when no HuBERT did); None where that is not known, or the weights are random.
        weights_id: tells weights from others where there is no checkpoint's sum.
        features: of a task, what it sees of the upstream, as on the command line: `-s`, `-l`, `-f`.
        published_corpus: the task's own SUPERB corpus, not one that was laid out for it.
        changed_settings: of a task, those that are not SUPERB's published ones, dotted.
        predictions: of a task, its files to be submitted, in the task's folder.
        clusters: of a measure that counts on clusters, how many.
        bits_per_s, entropy_bits_per_s: of `units`, what a second of them takes: each log2 K bits, or as many as their
            frequencies ask for.
        seeds: of the same, how many k-means runs `value` is the mean of, with the seeds `seed`, `seed` + 1, ...
        seed_sd: the standard deviation of the score over these; None for one.
    """

    upstream: str
    measure: str
    score: str
    variant: str | None = None
    checkpoint_sha256: str | None = None
    weights: str | None = None
    train_step: int | None = None
    corpus: str | None = None
    corpus_kind: str | None = None
    split: str | None = None
    downstream: str | None = None
    protocol: str | None = None
    headline: bool = False
    tap: str | None = None
    tap_index: int | None = None
    block: str | None = None
    stride: int | None = None
    tap2: str | None = None
    upstream2: str | None = None
    subset: str | None = None
    control: str | None = None
    segments: str | None = None
    frame_stride: int | None = None
    units: str | None = None
    task_checkpoint: str | None = None
    n: int | None = None
    n_over_d: float | None = None
    folds: int | None = None
    split_by: str | None = None
    seed: int | None = None

    value: float | None = None
    refused: str | None = None
    grey: str | None = None
    trivial: bool = False
    ci_low: float | None = None
    ci_high: float | None = None
    chance: float | None = None
    permutations: int | None = None
    chance_high: float | None = None
    replicates: list[float] | None = None
    folds_id: str | None = None
    speakers: int | None = None
    unit: str | None = None
    higher_is_better: bool = True
    params: int | None = None
    macs_per_s: float | None = None
    pretraining: str | None = None
    unit_iteration: int | None = None
    weights_id: str | None = None
    features: str | None = None
    published_corpus: bool = False
    changed_settings: list[str] | None = None
    predictions: list[str] | None = None
    clusters: int | None = None
    bits_per_s: float | None = None
    entropy_bits_per_s: float | None = None
    seeds: int | None = None
    seed_sd: float | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.value is None) == (self.refused is None):
            raise ValueError(f"{self.measure}/{self.score}: a row has either a value or the reason of its refusal")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.measure}/{self.score} at {self.tap}: {self.value} is not a number to report")

    @property
    def identity(self) -> tuple[Any, ...]:
        """What decides whether another row is a rerun of this one."""
        return tuple(getattr(self, name) for name in _IDENTITY)


_NAMES = [f.name for f in fields(Row)]
_IDENTITY = _NAMES[: _NAMES.index("value")]


def read(folder: str | Path) -> list[Row]:
    """The rows of an experiment.

    Args:
        folder: the experiment's folder, or the file itself.

    Raises:
        UserError: there is no such file, or a line of it is not a row.
    """
    path = Path(folder)
    path = path / FILE_NAME if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"{path}: no results there; give a folder in which a run has ended")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(Row(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}, line {number}: not a results row ({error}); remove the line or rerun") from None
    return rows


def write(folder: str | Path, rows: Iterable[Row]) -> Path:
    """Add rows to an experiment's results; a row with the identity of an earlier one replaces it.

    The file is written whole or not at all.

    Returns:
        The file's path.
    """
    folder = Path(folder)
    path = folder / FILE_NAME
    merged = {row.identity: row for row in (read(path) if path.is_file() else [])}
    merged.update({row.identity: row for row in rows})
    text = "".join(json.dumps(asdict(row), ensure_ascii=False, allow_nan=False) + "\n" for row in merged.values())
    replace_file(path, text.encode("utf-8"))
    return path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a temporary file beside it, then rename."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, that takes its place when the block ends, and never where it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def at_place_of_user(path: Path) -> Iterator[None]:
    """A block that writes where the user said.

    Raises:
        UserError: there cannot be a file at that place.
    """
    try:
        yield
    except BrokenPipeError:  # of what reads the output
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; give another place") from error
