"""Units from speech to label files, as fairseq's pre-training reads them.

FOLDER/train.tsv, valid.tsv     the audio files
FOLDER/train.km, valid.km       a line of units for each
FOLDER/dict.km.txt              every unit and how often it occurs in train.km
FOLDER/clusters.npz             the centres
FOLDER/units.yaml               what was asked for, the units per second, and their quality
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from tqdm import tqdm

from s3prl_plugin import ranks
from s3prl_plugin.analysis.information.clusters import Clusters, KMeansSettings, learn
from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.errors import UserError
from s3prl_plugin.files.unfinished import is_free, whole_folder
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.pretraining.data import sources
from s3prl_plugin.pretraining.data.unit_files import UtteranceUnits
from s3prl_plugin.pretraining.data.units.frames import UnitFrames
from s3prl_plugin.pretraining.data.units.quality import measure
from s3prl_plugin.pretraining.data.units.request import Request, told
from s3prl_plugin.states.taps import SAMPLE_RATE

ABOUT = "units.yaml"
TRAIN, VALID = "train", "valid"
# Those of fairseq's simple_kmeans, but for the number of starts, which a request names.
BATCH, PASSES, PATIENCE = 10_000, 100, 100


@dataclass(frozen=True, slots=True)
class Made:
    """Units that are there.

    Attributes:
        folder: the label files'.
        label_rate: units per second.
        clusters: K.
        lines: their quality, for the user.
    """

    folder: Path
    label_rate: float
    clusters: int
    lines: tuple[str, ...]

    def list_of(self, split: str = TRAIN) -> Path:
        """The list of audio files of a split."""
        return self.folder / f"{split}.tsv"

    def units_of(self, split: str = TRAIN) -> Path:
        """The units of a split."""
        return self.folder / f"{split}.km"


def make(
    request: Request,
    splits: Mapping[str, Sequence[Utterance]],
    folder: Path,
    *,
    silence: Collection[str] = (),
    device: str | torch.device = "cpu",
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> Made:
    """Make units, unless the folder holds the same ones. Of several processes the first makes them.

    Args:
        request: which units.
        splits: `train`, from which clusters are learned, and others, such as `valid`.
        folder: gets the files, all or none of them.
        silence: phone labels that are not speech, for the quality of the units.
        device: where an earlier model runs.
        say: tells the user.
        progress: show bars.

    Raises:
        UserError: the folder holds other units, or a model, a tap or a file cannot be used.
    """
    identity = told(request, _speech(splits))
    with ranks.leader_first():
        if is_free(folder):
            with whole_folder(folder) as temporary:
                _make(request, splits, temporary, identity, silence, device, progress)
        made = _read(folder, identity)
    if ranks.leads():
        for line in made.lines:
            say(line)
    return made


def _make(
    request: Request,
    splits: Mapping[str, Sequence[Utterance]],
    folder: Path,
    identity: str,
    silence: Collection[str],
    device: str | torch.device,
    progress: bool,
) -> None:
    """Write all files into an empty folder."""
    if not splits.get(TRAIN):
        raise UserError("units: there is no speech to learn them from; give a corpus")
    frames = UnitFrames(request, device)
    sample = _sample(frames, splits[TRAIN], request, progress)
    try:
        clusters = learn(sample, request.clusters, request.seed, _settings(request), "frames")
    except Refused as refused:
        raise UserError(f"units: {refused.reason}") from None
    about: dict[str, Any] = {
        "request": request.identity(),
        "identity": identity,
        "label_rate": SAMPLE_RATE / frames.stride,
        "clusters": request.clusters,
        "quality": {},
    }
    quality_lines = []
    for split, utterances in splits.items():
        units = _assign(frames, clusters, utterances, progress)
        sources.write_list(folder / f"{split}.tsv", utterances)
        _write_units(folder / f"{split}.km", units)
        if split == TRAIN:
            used = np.bincount(units.values, minlength=units.classes)
            (folder / "dict.km.txt").write_text("".join(f"{k} {count}\n" for k, count in enumerate(used)))
        quality = measure(units, utterances, silence)
        about["quality"][split] = quality.as_dict()
        quality_lines += [f"{split}: {line}" for line in quality.lines()]
    buffer = io.BytesIO()
    np.savez(buffer, mean=clusters.mean, scale=clusters.scale, centres=clusters.centres)
    (folder / "clusters.npz").write_bytes(buffer.getvalue())
    about["lines"] = quality_lines
    (folder / ABOUT).write_text(yaml.safe_dump(about, sort_keys=False), encoding="utf-8")


def _settings(request: Request) -> KMeansSettings:
    """Of k-means."""
    return KMeansSettings(BATCH, PASSES, request.starts, patience=PATIENCE, reassignment_ratio=0.0)


def _sample(frames: UnitFrames, utterances: Sequence[Utterance], request: Request, progress: bool) -> np.ndarray:
    """(n, D) frames of utterances that are drawn until they have enough; at most an utterance too many."""
    order = np.random.default_rng([request.seed, len(utterances)]).permutation(len(utterances))
    frames_before = np.cumsum([0, *(utterances[i].duration_s * SAMPLE_RATE / frames.stride for i in order)])[:-1]
    drawn = [utterances[i] for i in np.sort(order[frames_before < request.sampled_frames])]
    with tqdm(total=len(drawn), desc="units: frames", unit="utt", disable=not progress) as bar:
        found = dict(frames.of(drawn, bar.update))
    return np.concatenate([found[i] for i in range(len(drawn))])


def _assign(frames: UnitFrames, clusters: Clusters, utterances: Sequence[Utterance], progress: bool) -> UtteranceUnits:
    """The units of every utterance."""
    sequences: list[np.ndarray | None] = [None] * len(utterances)
    with tqdm(total=len(utterances), desc="units", unit="utt", disable=not progress) as bar:
        for position, rows in frames.of(utterances, bar.update):
            sequences[position] = clusters.nearest(rows)
    return UtteranceUnits.gathered(sequences, len(clusters), frames.stride)


def _write_units(path: Path, units: UtteranceUnits) -> None:
    """One line per utterance."""
    lines = (" ".join(map(str, units.sequence(i).tolist())) for i in range(len(units.offsets) - 1))
    path.write_text("".join(f"{line}\n" for line in lines))


def _read(folder: Path, identity: str) -> Made:
    """What a folder holds.

    Raises:
        UserError: other units, or none.
    """
    path = folder / ABOUT
    try:
        about = yaml.safe_load(path.read_text(encoding="utf-8"))
        made = Made(folder, float(about["label_rate"]), int(about["clusters"]), tuple(about["lines"]))
        same = about["identity"] == identity
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError):
        raise UserError(f"{folder}: not empty, and no units; choose another folder") from None
    if not same:
        raise UserError(f"{folder}: holds the units of another request ({path}); choose another folder or remove it")
    return made


def _speech(splits: Mapping[str, Sequence[Utterance]]) -> str:
    """Tells the speech of all splits from any other, by names, files and lengths."""
    digest = hashlib.sha256()
    for split, utterances in splits.items():
        for u in utterances:
            digest.update(f"{split}\t{u.name}\t{u.audio.resolve()}\t{u.duration_s:.6f}\t{u.start_s}\n".encode())
    return digest.hexdigest()
