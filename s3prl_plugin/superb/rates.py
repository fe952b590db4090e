"""What the frame rate of the features means for a task: what follows it, what is lost, what cannot be done.

SUPERB's settings are published for frames of 20 ms. Utterance-level tasks take any rate. Others count frames somewhere,
and with fewer of them would lose utterances without a word, or fail hours later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from s3prl_plugin.corpora import audio
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.strides import SAMPLE_RATE, ms_text
from s3prl_plugin.superb import ctc_lengths
from s3prl_plugin.superb.score_diarization import MEDIANS
from s3prl_plugin.superb.tasks import Task, get

PUBLISHED = 320  # samples; at this rate and finer ones nothing has to be counted
TOLERATED = 0.1  # of the utterances of a split may drop out: a choice; with more the score would mean something else
X_VECTOR = 14  # frames that the contexts of s3prl's X-vector take from an utterance
SHORTEST_QUERY = 5  # frames; s3prl gives a shorter query a score of 0 with every document


def stride(upstream: torch.nn.Module, key: str) -> float:
    """Samples from one frame of the features that tasks get to the next.

    Args:
        upstream: any upstream of s3prl's hub.
        key: of its result (`-s`).

    Raises:
        UserError: there is no such key, or it is a list at several frame rates, which s3prl cannot sum or take from.
    """
    upstream = getattr(upstream, "module", upstream)  # of DistributedDataParallel
    rates = getattr(upstream, "get_downsample_rates", None)
    if rates is not None:
        rate = rates(key)
        found = set(rate if isinstance(rate, list | tuple) else [rate])
        if len(found) > 1:
            several = ", ".join(f"{_ms(each)}" for each in sorted(found))
            raise UserError(
                f"-s {key}: its layers have frames of {several}, and s3prl's tasks take one rate; name one tap, or a "
                "list of one rate such as hidden_states_40ms"
            )
        return found.pop()
    with torch.no_grad():  # as s3prl's featurizer does
        features = upstream([torch.zeros(SAMPLE_RATE, device=_device(upstream))])
    if key not in features:
        raise UserError(f"-s {key}: this upstream does not return it; {did_you_mean(key, features)}")
    tensor = features[key]
    return round(SAMPLE_RATE / (tensor if isinstance(tensor, torch.Tensor) else tensor[0]).shape[1])


def check(task: Task, settings: Mapping[str, Any], samples: float) -> list[str]:
    """Refuse a task that cannot be trained and scored at a frame rate.

    Args:
        task: whose `frame_rate` names what it counts frames for.
        settings: of its run; the corpus that they name is read where that matters.
        samples: from one frame of the features to the next.

    Returns:
        What is different at this rate and does not keep the task from running.

    Raises:
        UserError: with the rate, the reason, and what to do.
    """
    try:
        return [f"at {_ms(samples)} a frame, {note}" for note in RULES[task.frame_rate](task, settings, samples)]
    except UserError as error:
        raise UserError(f"{task.name} at {_ms(samples)} a frame: {error}") from None


def _any(task: Task, settings: Mapping[str, Any], samples: float) -> Iterator[str]:
    """The frames of an utterance are averaged: every rate will do."""
    yield from ()


def _labels(task: Task, settings: Mapping[str, Any], samples: float) -> Iterator[str]:
    """Diarization: s3prl makes a label per frame of the features, unless a shift is set."""
    key = "downstream_expert.datarc.frame_shift"
    shift = get(settings, key)
    if not float(samples).is_integer():
        raise UserError(f"s3prl makes a label every whole number of samples; {_other(task)}")
    if isinstance(shift, int) and samples % shift:
        raise UserError(
            f"{key} makes a label every {shift} samples, and s3prl can repeat a frame, but neither split nor leave out "
            "one: it would be compared with labels of other moments; leave it out, and the labels follow the features"
        )
    followed, longest = shift if isinstance(shift, int) else samples, MEDIANS[-1]
    if followed > PUBLISHED:
        yield (
            f"a label spans as much, and the median filter of the score, {longest} frames by SUPERB's definition, "
            f"{_ms(longest * followed)} (published at 20 ms: {_ms(longest * PUBLISHED)})"
        )


def _ctc(task: Task, settings: Mapping[str, Any], samples: float) -> Iterator[str]:
    """Recognition: an utterance needs as many frames as CTC needs for its labels."""
    expert = settings["downstream_expert"]
    factor = ctc_lengths.subsampling(expert.get("modelrc") or expert["model"], samples)
    if samples * factor <= PUBLISHED:
        return
    for split in ("train", task.split):
        short, count = ctc_lengths.unaligned(settings, split, samples, factor)
        lost = f"{short} of {count} utterances of {split} have fewer frames than CTC needs for their labels"
        if short > TOLERATED * count:
            raise UserError(f"{lost}, and would be skipped in silence; {_finer(task)}")
        if short:
            yield f"{lost}: training passes over them, and they cannot be recognised without errors"
    masks = settings.get("specaug") or {}
    if masks.get("apply_time_mask") and samples > PUBLISHED:
        widest = masks["time_mask_width_range"][1]
        yield f"a time mask of SpecAugment, up to {widest} frames, hides up to {_ms(widest * samples)}"


def _x_vector(task: Task, settings: Mapping[str, Any], samples: float) -> Iterator[str]:
    """Verification: an utterance has to outlast the X-vector's contexts, with two frames left for a deviation."""
    yield from ()
    expert = settings["downstream_expert"]
    datarc, model = expert["datarc"], expert["modelrc"]
    if samples <= PUBLISHED or model["module"] != "XVector":
        return
    least = X_VECTOR + (2 if model["agg_module"] == "SP" else 1)
    for key, trained in (
        ("vad_config.min_sec", datarc["vad_config"]["min_sec"]),
        ("max_timestep", datarc["max_timestep"]),
    ):
        if trained is not None and round(trained / samples) < least:
            raise UserError(
                f"the X-vector needs {least} frames, and {key} lets it train on {round(trained / samples)}; set "
                f"downstream_expert.datarc.{key} to at least {least * samples} samples, or {_finer(task)}"
            )
    lines = Path(datarc["test_meta_data"]).read_text(encoding="utf-8").splitlines()
    root = Path(datarc["file_path"]) / "test" / "wav"
    _refuse_short(task, {root / name for line in lines for name in line.split()[1:3]}, samples, least)


def _refuse_short(task: Task, files: set[Path], samples: float, least: int) -> None:
    """Refuse trials that are too short. Silence at their ends, which s3prl trims, is counted as speech here."""
    short = sorted(file for file in files if _frames(file, samples) < least)
    if short:
        raise UserError(
            f"the X-vector needs {least} frames, and {len(short)} of the {len(files)} utterances of the trials, such "
            f"as {short[0]}, have fewer; {_finer(task)}"
        )


def _queries(task: Task, settings: Mapping[str, Any], samples: float) -> Iterator[str]:
    """Spoken term detection: s3prl gives up on queries of a few frames."""
    if samples <= PUBLISHED:
        return
    root = Path(settings["downstream_expert"]["datarc"]["dataset_root"])
    for split in ("dev", "eval"):
        lines = (root / "scoring" / f"language_key_{split}.lst").read_text(encoding="utf-8").splitlines()
        named = [line.split() for line in lines]
        files = [root / fields[0].partition("/")[2] for fields in named if fields[1:] == ["nnenglish"]]
        short = sum(_frames(file, samples) < SHORTEST_QUERY for file in files)
        lost = f"{short} of {len(files)} {split} queries have fewer than {SHORTEST_QUERY} frames"
        if short > TOLERATED * len(files):
            raise UserError(f"{lost}, and s3prl does not search for such; {_finer(task)}")
        if short:
            yield f"{lost}: s3prl does not search for them"


RULES: dict[str, Callable[[Task, Mapping[str, Any], float], Iterator[str]]] = {
    "any": _any,
    "labels": _labels,
    "ctc": _ctc,
    "x_vector": _x_vector,
    "queries": _queries,
}
"""What a task's `frame_rate` can be."""


def _frames(file: Path, samples: float) -> int:
    """The frames of a file, at 16 kHz, as s3prl's featurizer counts them."""
    return round(audio.info(file).duration_s * SAMPLE_RATE / samples)


def _finer(task: Task) -> str:
    """What helps against too few frames."""
    return f"take features with more frames (-s, or no pool_to), or leave {task.name} out"


def _other(task: Task) -> str:
    """What helps against a rate that is no whole number of samples."""
    return f"take features at another rate (-s, or a pool_to that is a whole number), or leave {task.name} out"


def _ms(samples: float) -> str:
    """A time in milliseconds."""
    return f"{ms_text(samples)} ms"


def _device(module: torch.nn.Module) -> torch.device | str:
    """Where a module lives."""
    return next((parameter.device for parameter in module.parameters()), "cpu")
