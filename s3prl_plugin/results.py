"""The results row, and `results.jsonl` in an experiment's folder."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock

from s3prl_plugin.errors import UserError, did_you_mean, one_line
from s3prl_plugin.files import unfinished
from s3prl_plugin.files.checked_fields import check
from s3prl_plugin.strides import Stride, exact_stride, written_stride

FILE_NAME = "results.jsonl"
LOCK = ".results.lock"
STRIDES = ("stride", "frame_stride")  # in the file "640/3" where they are no whole numbers
SCHEMA = 3  # of a line of the file; one that is higher was written by a newer version

Detail = float | int | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number (or the stated refusal of one), and everything that says which number it is.

    The fields in `IDENTITY` say which number it is: a rerun replaces the row with the same identity. All others say
    what the number is and what it rests on.

    Attributes:
        upstream: the entry, with its options that differ from their defaults: `mr_hubert_tiny[pool_to=mean:40]`.
        upstream_config: digest of a file of `-g` that the upstream reads itself, whose options are not in `upstream`;
            for a model of transformers, of what its configuration says.
        variant: of a published MR-HuBERT, its entry.
        weights_id: digest of the upstream's weights as they are in memory, wherever they come from; None for an
            upstream without weights.
        checkpoint_sha256: of the file that they come from, where that is known.
        checkpoint, model_type: of a model of transformers, its folder, or its name on the hub with the commit, and its
            architecture.
        waveform_normalisation: how the upstream scales a waveform before it hears it: "zero mean, unit variance,
            epsilon 1e-05", which is divided by sqrt(variance + epsilon) (1e-05 is of s3prl and fairseq, 1e-07 of
            transformers), "none", or None where that is not known.
        weights: "trained", "random", or None for an upstream without weights.
        train_step: after how many steps of training, where the checkpoint says it.
        corpus: its name; with the part of it that was asked for.
        split: of a task, the part that was scored; None for an analysis.
        downstream: the analysis or the task's downstream.
        corpus_kind: "real" or "generated".
        measure: cca_phone, mi_word, SID, ...
        protocol: "default", "published", or None for a task.
        score: which score of the measure: r2, r, pwcca, adjusted, mi_over_h, accuracy, ...
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
        seed: of the run: of heads, clusters and drawings.
        n: rows scored (held-out rows over all folds).
        n_over_d: training rows over the tap's dimension.
        n_eff_over_d: independent rows per dimension that the training rows are worth.
        speakers: of the corpus that was analysed; None for a task.
        value: the number; None when refused.
        ci_low, ci_high: the 95 % interval; None where none was computed.
        unit: of the number; None where it has none.
        higher_is_better: False where a lower number is better.
        refused: why there is no number, and what would help.
        grey: a number that the data barely supports, and why; tables show it grey.
        trivial: the two views are the same by construction (a base tap with itself).
        chance: what the score would be without any information.
        permutations: how many permutations of the labels `chance` is the mean of; None where it follows from theory.
        chance_low, chance_high: between which one more permutation would fall, in 95 of 100 cases.
        caveat: what the score does not see: of one that goes by distances, where one component dominates.
        per_fold: what every held-out fold says of the score, whose mean is `value`, for paired differences with another
            row that has the same `folds_id`; None where `replicates` are kept.
        replicates: of a jackknifed score, the score without each fold (or speaker) in turn, for the same.
        folds_id: tells which folds of which corpus these are.
        folds, split_by: how many, and what no two of them share: speaker, sentence or utterance.
        params, macs_per_s: of the upstream; multiply-accumulates for one second of audio, alone.
        pretraining, unit_iteration: what the upstream was trained on, and the HuBERT iteration that made its target
            units (0 when no HuBERT did); None where that is not known, or the weights are random.
        training_data: whether the upstream may have heard the row's corpus in training, by the names of both: "none"
            (it was not trained), "heard" (`pretraining` names the corpus), "other_part" (it names the training parts of
            the corpus, of which this is none), "not_heard" (it names others), "unknown" (it may have).
        features: of a task, what it sees of the upstream, as on the command line: `-s`, `-l`, `-f`.
        published_corpus: the task's own SUPERB corpus, not one that was laid out for it.
        changed_settings: of a task, those that are not SUPERB's published ones, dotted.
        task_checkpoint: of a task, the file in its folder that was scored.
        predictions: of a task, its files to be submitted, in the task's folder.
        clusters: of a measure that counts on clusters, how many.
        clusters_asked: the same, where it is an option's value and not the program's choice.
        details: what only rows of such measures say, by name: the `fields` that their downstream's about.yaml explains.
        options_id: digest of the options that made the row; see `digest`.
        versions: of this package, of s3prl, torch and others: name -> version.
        newer: of a row that a newer version wrote, `schema` and the fields that this one does not know.
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
    stride: Stride | None = None
    tap2: str | None = None
    upstream2: str | None = None
    subset: str | None = None
    control: str | None = None
    segments: str | None = None
    frame_stride: Stride | None = None
    units: str | None = None
    features: str | None = None
    seed: int | None = None
    weights_id: str | None = None
    upstream_config: str | None = None
    clusters_asked: int | None = None

    value: float | None = None
    refused: str | None = None
    grey: str | None = None
    trivial: bool = False
    ci_low: float | None = None
    ci_high: float | None = None
    chance: float | None = None
    permutations: int | None = None
    chance_low: float | None = None
    chance_high: float | None = None
    caveat: str | None = None
    per_fold: list[float] | None = None
    replicates: list[float] | None = None
    folds_id: str | None = None
    n: int | None = None
    n_over_d: float | None = None
    n_eff_over_d: float | None = None
    folds: int | None = None
    split_by: str | None = None
    task_checkpoint: str | None = None
    speakers: int | None = None
    unit: str | None = None
    higher_is_better: bool = True
    params: int | None = None
    macs_per_s: float | None = None
    pretraining: str | None = None
    unit_iteration: int | None = None
    training_data: str | None = None
    checkpoint: str | None = None
    model_type: str | None = None
    waveform_normalisation: str | None = None
    published_corpus: bool = False
    changed_settings: list[str] | None = None
    predictions: list[str] | None = None
    clusters: int | None = None
    details: dict[str, Detail] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    options_id: str | None = None
    newer: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.value is None) == (self.refused is None):
            raise ValueError(f"{self.measure}/{self.score}: a row has either a value or the reason of its refusal")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.measure}/{self.score} at {self.tap}: {self.value} is not a number to report")
        for name in STRIDES:
            samples = getattr(self, name)
            if samples is not None and samples <= 0:
                raise ValueError(f"{self.measure}/{self.score} at {self.tap}: {name} is {samples}, and must be above 0")

    def number(self, detail: str) -> float | None:
        """One of the details; None where the row does not say it."""
        value = self.details.get(detail)
        return None if isinstance(value, str) else value

    @property
    def identity(self) -> tuple[Any, ...]:
        """What decides whether another row is a rerun of this one."""
        return (self.weights_digest, *(getattr(self, name) for name in IDENTITY))

    @property
    def model(self) -> tuple[Any, ...]:
        """What rows of one upstream, with the same weights and options, have in common."""
        return (self.upstream, self.upstream_config, self.weights_digest, self.variant, self.weights, self.train_step)

    @property
    def title(self) -> str:
        """What the upstream is called: a model of transformers by its name, any other by its entry; with options."""
        if self.checkpoint is None:
            return self.upstream
        name = self.checkpoint.partition("@")[0].rstrip("/")
        _, bracket, options = self.upstream.partition("[")
        return (name.rpartition("/")[2] if name.startswith("/") else name) + bracket + options

    @property
    def weights_digest(self) -> str | None:
        """What tells the upstream's weights from any others."""
        return self.weights_id or self.checkpoint_sha256


# The names of the fields that the file's lines hold, beside their schema.
FIELDS = frozenset(f.name for f in fields(Row)) - {"newer"}

# Fields of their own until schema 2.
_DETAILS_OF_2 = ("first_component", "directions", "bits_per_s", "entropy_bits_per_s", "seeds", "seed_sd")

# Beside the digest of the weights. `clusters` is not among them, nor are `n` and `folds`: the program chose them.
IDENTITY = (
    *("upstream", "upstream_config", "corpus", "split", "downstream", "measure", "protocol", "score"),
    *("tap", "stride", "frame_stride", "tap2", "upstream2"),
    *("subset", "control", "segments", "units", "clusters_asked", "features", "seed"),
)


def digest(*parts: Any) -> str:
    """Sixteen letters that stand for plain values, such as the options that made a row.

    Options that change no number are left out of it by whoever calls it, so that two runs that differ in nothing else
    are the same run.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read(folder: str | Path) -> list[Row]:
    """Every row in an experiment's file, in the order of writing; `inference.current` says which of them count.

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
    for number, text in enumerate(path.read_bytes().split(b"\n"), 1):  # texts may hold what ends a line elsewhere
        if not text.strip():
            continue
        try:
            rows.append(_row(text.decode("utf-8")))
        except (ValueError, TypeError, RecursionError) as error:
            said = one_line(str(error))
            raise UserError(f"{path}, line {number}: not a results row ({said}); remove the line or rerun") from None
    return rows


def write(folder: str | Path, rows: Iterable[Row]) -> Path:
    """Add rows to an experiment's results, at the end; a row with the identity of an earlier one replaces it.

    The file is written whole or not at all, and several processes can write into one folder.

    Returns:
        The file's path.
    """
    folder = Path(folder)
    path = folder / FILE_NAME
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(str(folder / LOCK)):
        merged = {row.identity: row for row in (read(path) if path.is_file() else [])}
        for row in rows:
            merged.pop(row.identity, None)  # so that the rows of the newest run stand last
            merged[row.identity] = row
        text = "".join(line(row) + "\n" for row in merged.values())
        replace_file(path, text.encode("utf-8"))
    return path


def line(row: Row) -> str:
    """A row as it stands in the file."""
    known = asdict(row)
    newer = known.pop("newer")
    for name in STRIDES:
        known[name] = written_stride(known[name])
    return json.dumps({"schema": SCHEMA, **known, **newer}, ensure_ascii=False, allow_nan=False)


def _row(text: str) -> Row:
    """The counterpart; of a newer version, fields that are not known here are kept.

    Raises:
        ValueError, TypeError: it is not a row.
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    schema = content.pop("schema", SCHEMA)
    if type(schema) is not int:
        raise ValueError(f"schema is {schema!r}, and must be a whole number")
    for name in STRIDES:
        if isinstance(content.get(name), str):
            content[name] = exact_stride(content[name])
    if schema < 3:
        content["details"] = {n: v for n in _DETAILS_OF_2 if (v := content.pop(n, None)) is not None}
    unknown = {name: value for name, value in content.items() if name not in FIELDS}
    if schema <= SCHEMA:
        if unknown:
            raise ValueError(f"there is no field {next(iter(unknown))!r}; {did_you_mean(next(iter(unknown)), FIELDS)}")
        check(Row, content)
        return Row(**content)
    json.dumps(unknown, ensure_ascii=False, allow_nan=False).encode("utf-8")  # it can be written again
    known = {name: value for name, value in content.items() if name in FIELDS}
    try:
        check(Row, known)
    except ValueError as error:
        raise ValueError(f"{error}; it is of a newer version of this package, schema {schema}") from None
    return Row(**known, newer={"schema": schema, **unknown})


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a temporary file beside it, then rename.

    Raises:
        UserError: it cannot be written.
    """
    with replacing(path, len(content)) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, size: int = 0) -> Iterator[BinaryIO]:
    """A file to write into, that takes its place when the block ends, and never where it fails.

    Args:
        path: the file.
        size: the bytes that will be written, where that is known.

    Raises:
        UserError: it cannot be written; nothing has changed then.
    """
    temporary = path.with_name(unfinished.name(path))
    file = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _Noting(io.FileIO(temporary, "wb"))
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        failed = getattr(file, "failed", None) or (error if isinstance(error, OSError) else None)
        size = max(size, getattr(file, "written", 0))
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if failed is not None and failed.errno in unfinished.CANNOT_WRITE:
            raise unfinished.cannot_be_written(path, failed, size) from None
        raise


class _Noting(io.BufferedWriter):
    """A file that remembers why it could not be written: what writes into it may say something else.

    Attributes:
        failed: the error.
        written: bytes so far.
    """

    failed: OSError | None = None
    written = 0

    def write(self, data: Any) -> int:
        """As a file."""
        self.written += memoryview(data).nbytes
        with self._noted():
            return super().write(data)

    def flush(self) -> None:
        """As a file."""
        with self._noted():
            super().flush()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failed = self.failed or error
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
