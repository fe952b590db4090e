"""Whether the folder of a run holds what the SUPERB leaderboard takes, and whether the site would score it as meant.

What is handed in, and under which names, is what s3prl's `submit/submit.py` (0.4.18) puts together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from s3prl_plugin.report.leaderboard.standings import FREE
from s3prl_plugin.report.leaderboard.superb_score import reference_columns, reference_tasks
from s3prl_plugin.report.sections import Section, Table
from s3prl_plugin.results import Row
from s3prl_plugin.superb.tasks import Task, task


@dataclass(frozen=True, slots=True)
class Checked:
    """One task of a run.

    Attributes:
        task: its name.
        faults: why it cannot be handed in; none where it can.
        files: what is handed in: the site's name -> the file or pattern below the run's folder.
        notes: what is to be said with it.
    """

    task: str
    faults: tuple[str, ...]
    files: dict[str, str]
    notes: tuple[str, ...] = ()


def check(folder: Path, rows: Sequence[Row]) -> list[Checked]:
    """Check the ten tasks of a run.

    Args:
        folder: of the run.
        rows: its current results.
    """
    return [_checked(task(name), folder, rows) for name in reference_tasks()]


def section(folder: Path, found: Sequence[Checked]) -> Section:
    """The same for reading."""
    rows = []
    for one in found:
        said = [*(one.faults or ["ready"]), *one.notes]
        rows += [("" if i else one.task, line) for i, line in enumerate(said)]
    files = [f"{name}  <-  {file}" for one in found if not one.faults for name, file in one.files.items()]
    ready = sum(not one.faults for one in found)
    return Section(
        name="submission",
        title="",
        lead=(f"submission from {folder}: {ready} of {len(found)} tasks are ready",),
        tables=(Table(columns=("task", ""), rows=tuple(rows)),),
        code="\n".join(["the files, by their names in the archive (below predict/):", *files]) if files else "",
    )


def _checked(one: Task, folder: Path, rows: Sequence[Row]) -> Checked:
    """One task."""
    files = {name: f"{one.name}/{file}" for name, file in one.submitted.items()}
    scored = [row for row in rows if row.measure == one.name and row.headline and row.tap is None]
    if not scored:
        return Checked(one.name, ("not run",), files)
    (row, *others) = scored
    changed = row.changed_settings or ()
    faults = [*_not_superbs(row, changed), *(fault for file in files.values() for fault in _of_file(folder, file))]
    if others:
        faults.append(f"scored {len(scored)} times: give the folder of one run")
    if one.scorer == "score_diarization":
        faults += _of_frame_shift(folder / one.name / "frame_shift")
    notes = [f"learning rate {said.removeprefix(FREE)}: say so" for said in changed if said.startswith(FREE)]
    return Checked(one.name, tuple(faults), files, tuple(notes))


def _not_superbs(row: Row, changed: Sequence[str]) -> Iterator[str]:
    """What makes a score one of another task than SUPERB's."""
    if not row.published_corpus:
        yield f"run on {row.corpus}, which is not SUPERB's corpus"
    elif not any((column.task, column.score) == (row.measure, row.score) for column in reference_columns()):
        yield f"its score is {row.score}: not by SUPERB's rules, or with other labels; run the task again"
    keys = [said for said in changed if not said.startswith(FREE)]
    if keys:
        yield f"settings other than SUPERB's: {', '.join(keys)}"


def _of_file(folder: Path, file: str) -> Iterator[str]:
    """What is wrong with a file that is handed in."""
    found = sorted(folder.glob(file))
    if not found:
        yield f"{file} is missing: score the task again"
        return
    for path in found:
        if not path.is_file() or not path.stat().st_size:
            yield f"{path.relative_to(folder)} is empty"
            return
    if file.endswith(".xml"):
        yield from _of_detections(found[0], file)
    truth = folder / re.sub(r"predict(?=\.\w+$)", "truth", file.replace("-hyp.", "-ref."))
    if truth != folder / file and truth.is_file():
        missing = _names(truth) - _names(found[0])
        if missing:
            yield f"{file} lacks {len(missing)} of the {len(_names(truth))} names in {truth.name}, as {min(missing)}"


def _of_detections(path: Path, file: str) -> Iterator[str]:
    """What is wrong with QbE's list."""
    try:
        if ElementTree.parse(path).getroot().find("detected_termlist") is None:
            yield f"{file} holds no detected_termlist"
    except ElementTree.ParseError as error:
        yield f"{file} is not XML ({error})"


def _of_frame_shift(path: Path) -> Iterator[str]:
    """What is wrong with SD's frame shift, without which the site takes frames of 10 ms."""
    said = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    if path.is_file() and not (said.isdecimal() and int(said) > 0):
        yield f"frame_shift says {said!r}, and not how many samples a frame has"


def _names(path: Path) -> set[str]:
    """What a file of predictions is about: the beginning of every line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {re.split(r"[ ,]", line, maxsplit=1)[0] for line in lines if line.strip()}
