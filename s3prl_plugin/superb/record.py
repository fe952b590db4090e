"""The folder of one task's run: which run it is, its checkpoints, and its scores."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s3prl_plugin import ranks, results
from s3prl_plugin.errors import UserError
from s3prl_plugin.files.difference import first_difference


class Record:
    """The folder of one task's run: which run it is, and its scores once there are any."""

    FILE_NAME = "run.json"

    def __init__(self, folder: Path, content: dict[str, Any]):
        self.folder = folder
        self._content = content

    @classmethod
    def open(cls, folder: Path, settings: Mapping[str, Any], decisive: Mapping[str, Any]) -> Record:
        """The record of a run with these settings in `folder`, new or taken up again; all processes open it together.

        Args:
            folder: the task's folder; made where it is absent.
            settings: the task's configuration.
            decisive: what else decides its score (upstream, features, seed).

        Raises:
            UserError: the folder holds a run that differs, and continuing it would mix the two.
        """
        wanted = json.loads(json.dumps({"settings": settings, **decisive}, default=str))
        with ranks.leader_first():  # so that all find the same, whatever the leader will write next
            return cls._open(folder, wanted)

    @classmethod
    def _open(cls, folder: Path, wanted: dict[str, Any]) -> Record:
        path = folder / cls.FILE_NAME
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            difference = first_difference(content["run"], wanted)
            if difference:
                raise UserError(f"{folder} holds a run with another {difference}; choose another folder or remove it")
            return cls(folder, content)
        record = cls(folder, {"run": wanted})
        record._save()
        return record

    @classmethod
    def existing(cls, folder: Path) -> Record | None:
        """The record of a finished run, whatever its settings; None where there is none."""
        path = folder / cls.FILE_NAME
        record = cls(folder, json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
        return record if record is not None and record.finished else None

    @property
    def settings(self) -> dict[str, Any]:
        """The task's configuration."""
        return self._content["run"]["settings"]

    @property
    def features(self) -> tuple[str, int | None]:
        """What the task sees of the upstream: `-s` and `-l`."""
        key, layer = self._content["run"].get("features", ("hidden_states", None))
        return key, layer

    @property
    def features_name(self) -> str:
        """The same as it stands on the command line, with what else changes the features."""
        key, layer = self.features
        run = self._content["run"]
        parts = [key, None if layer is None else f"-l {layer}"]
        parts += ["-f" if run.get("trainable") else None]
        parts += ["--upstream_feature_normalize" if run.get("normalize") else None]
        return " ".join(part for part in parts if part)

    @property
    def finished(self) -> bool:
        """Whether the task has been scored."""
        return "scalars" in self._content

    @property
    def scalars(self) -> dict[str, float]:
        """What the task's downstream logged on its test split."""
        return self._content["scalars"]

    @property
    def checkpoint(self) -> str:
        """What was scored: a checkpoint by its file name, or a layer."""
        return self._content["checkpoint"]

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self._content["run"]["seed"]

    @property
    def options_id(self) -> str:
        """Digest of everything that decides the task's score but the seed: several seeds belong together."""
        return results.digest({key: value for key, value in self._content["run"].items() if key != "seed"})

    @property
    def trials(self) -> dict[str, dict[str, float]]:
        """What was scored on the way (checkpoints, layers): a trial's name -> its scalars."""
        return dict(self._content.get("trials", {}))

    def checkpoints(self) -> list[Path]:
        """Every `states-*.ckpt`, in the order of their steps."""
        return sorted(self.folder.glob("states-*.ckpt"), key=lambda path: int(path.stem.split("-")[1]))

    def last_checkpoint(self) -> Path | None:
        """The latest `states-*.ckpt`, from which training goes on."""
        found = self.checkpoints()
        return found[-1] if found else None

    def best_checkpoint(self, best: str = "dev-best.ckpt") -> Path:
        """The checkpoint that was best on the dev set, else the latest one.

        Args:
            best: the file name that the task's downstream gives it.

        Raises:
            UserError: training left neither.
        """
        path = self.folder / best if (self.folder / best).is_file() else self.last_checkpoint()
        if path is None:
            raise UserError(
                f"{self.folder}: training left no checkpoint; let runner.eval_step or runner.save_step divide "
                "runner.total_steps"
            )
        return path

    def remove_torn(self, best: str) -> list[str]:
        """Remove checkpoints that are not whole, as a run leaves them that is killed while it writes in place.

        Args:
            best: as for `best_checkpoint`. Where it is torn, no step is known to be the best: all checkpoints go.
                Where another is, those that were trained from it go as well.

        Returns:
            What was removed and what that means, in words.
        """
        for leftover in self.folder.glob(".*.ckpt.*"):  # of one that was to take its place when it was whole
            leftover.unlink(missing_ok=True)  # another process of the run may have been faster
        saved = self.checkpoints()
        torn = [path for path in (*saved, self.folder / best) if path.is_file() and not _is_whole(path)]
        for path in torn:
            path.unlink(missing_ok=True)
            for later in saved[saved.index(path) if path in saved else 0 :]:
                later.unlink(missing_ok=True)
        last = self.last_checkpoint()
        follows = f"goes on from {last.name}" if last else "begins anew"
        return [f"{path.name} was torn, and is removed: training {follows}" for path in torn]

    def part(self, name: str, settings: Mapping[str, Any]) -> Record:
        """The record of one of the runs that this task consists of.

        Args:
            name: of the run and of its folder.
            settings: its configuration.

        Raises:
            UserError: its folder holds a run that differs.
        """
        decisive = {key: value for key, value in self._content["run"].items() if key != "settings"}
        return Record.open(self.folder / name, settings, decisive)

    def trial_folder(self, name: str) -> Path:
        """Where a trial's files are kept."""
        return self.folder / "trials" / name.replace(" ", "_")

    def remember(self, name: str, scalars: dict[str, float]) -> None:
        """Keep what a trial scored."""
        self._content["trials"] = self.trials | {name: scalars}
        self._save()

    def finish(self, checkpoint: str, scalars: dict[str, float]) -> None:
        """Keep the scores."""
        self._content |= {"checkpoint": checkpoint, "scalars": scalars}
        self._save()

    def seconds(self) -> float | None:
        """How long the run that finished the task took, 0 where it did not say; None where it is not finished."""
        return float(self._content.get("seconds", 0)) if self.finished else None

    def took(self, seconds: float) -> None:
        """Note how long it took."""
        self._content["seconds"] = round(seconds, 1)
        self._save()

    def _save(self) -> None:
        if not ranks.leads():  # of several processes one writes; the others know the same
            return
        results.replace_file(self.folder / self.FILE_NAME, json.dumps(self._content, indent=1).encode())


def _is_whole(path: Path) -> bool:
    """Whether a file that torch wrote, a ZIP archive, has all its parts, each with its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged file can fail in any part of the reader
        return False
