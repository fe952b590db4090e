"""The learned weights of a task's weighted sum, as results rows: one per state tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import from_float
from s3prl_plugin.superb.corpus import TaskCorpus, with_corpus
from s3prl_plugin.superb.record import Record
from s3prl_plugin.superb.tasks import Task

if TYPE_CHECKING:
    import torch

SCORE = "weight"


def rows(
    task: Task, record: Record, provided: Mapping[str, Any], corpus: TaskCorpus, model: torch.nn.Module
) -> list[results.Row]:
    """The rows of a finished task's learned weights; none where there was no sum, or its checkpoint is gone.

    Of a task with folds they are the mean over the folds.

    Args:
        provided: the fields of a row that describe the upstream.
        corpus: what the task was trained and scored on.
        model: the upstream, which names its taps.

    Raises:
        UserError: a scored checkpoint cannot be read.
    """
    runs = [Record.existing(record.folder / name) for name in task.parts] if task.parts else [record]
    found = [_learned(run.folder / run.checkpoint) for run in runs if run is not None]
    learned = [weights for weights in found if weights is not None]
    if not learned or len(learned) < len(runs):
        return []
    import torch

    mean = torch.stack(learned).mean(dim=0).tolist()
    key, _ = record.features
    return [
        results.Row(
            **with_corpus(provided, corpus, "train"),
            downstream=task.downstream,
            measure=task.name,
            score=SCORE,
            tap=tap.name,
            tap_index=tap.index,
            block=tap.block,
            stride=tap.stride,
            task_checkpoint=record.checkpoint,
            folds=len(task.parts) or None,
            seed=record.seed,
            value=weight,
            unit="fraction",
            features=record.features_name,
            options_id=record.options_id,
        )
        for tap, weight in zip(taps(model, key, len(mean)), mean, strict=True)
    ]


def taps(model: torch.nn.Module, key: str, count: int) -> Sequence[Tap]:
    """The taps under an entry of an upstream's result, in its order.

    Args:
        model: the upstream.
        key: the entry (`-s`).
        count: how many there are.

    Returns:
        Those of this plugin's upstreams by their names, at their own strides; of another one's `hidden_states`,
        `layer0` and so on, as in an analysis; of another entry of it, `entry.0` and so on.
    """
    model = getattr(model, "module", model)  # of DistributedDataParallel
    own = getattr(model, "parts", None)
    if own is not None:
        known = {tap.name: tap for tap in model.taps}  # type: ignore[union-attr]
        return [known[name] for name in own(key).names]
    rates = getattr(model, "get_downsample_rates", None)
    rate = rates(key) if rates is not None else None
    strides = rate if isinstance(rate, list) else [rate] * count
    names = [f"layer{i}" if key == "hidden_states" else f"{key}.{i}" for i in range(count)]
    exact: list[Any] = [stride and from_float(stride) for stride in strides]
    return [Tap(i, name, None, name, stride, 0) for i, (name, stride) in enumerate(zip(names, exact, strict=True))]


def _learned(path: Path) -> torch.Tensor | None:
    """The weights in a checkpoint, (taps,), in float64: they sum to one. None where it has none, or is gone."""
    import torch

    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a damaged file can fail in any part of the reader
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path}: this checkpoint of the task cannot be read ({reason}); remove its folder") from None
    weights = (content.get("Featurizer") or {}).get("weights")
    return None if weights is None else weights.double().softmax(dim=-1)
