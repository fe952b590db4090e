"""What is kept beside a page of the gallery: the rows, numbers and verifications that it is made of."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import trajectories
import yaml

from s3prl_plugin import results
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.inference import current, folders
from s3prl_plugin.questions import factorial
from s3prl_plugin.results import Row
from s3prl_plugin.select.verify import trial
from s3prl_plugin.select.verify.trial import Trial

FOLDER = Path(__file__).parent
_DEFAULTS = {f.name: f.default for f in fields(Row)}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a page is made of.

    Attributes:
        name: of its files.
        head: what the template's YAML says.
        body: its Markdown.
        runs: folder in the study -> its rows: of a run, and of a seed of its tasks' heads.
        trials: folder in the study -> the verifications of its tasks.
        numbers: of models with several seeds.
    """

    name: str
    head: Mapping[str, Any]
    body: str
    runs: Mapping[str, Sequence[Row]]
    trials: Mapping[str, Sequence[Trial]]
    numbers: Sequence[Mapping[str, Any]] = ()


def names() -> list[str]:
    """The pages."""
    return sorted(path.stem for path in FOLDER.glob("*.template"))


def parts(name: str) -> tuple[dict[str, Any], str]:
    """A template's YAML, and its Markdown."""
    _, head, body = (FOLDER / f"{name}.template").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def read(name: str) -> Kept:
    """What a page is made of, from its files.

    Raises:
        UserError: there is none of that name.
    """
    if name not in names():
        raise UserError(f"{name}: no page of the gallery; {did_you_mean(name, names())}")
    head, body = parts(name)
    lines: dict[str, list[str]] = {}
    trials: dict[str, list[Trial]] = {}
    numbers = []
    for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        content = json.loads(line)
        if "arm" in content:
            numbers.append(content)
            continue
        run = content.pop("run")
        if "verification" in content:
            trials.setdefault(run, []).append(Trial(**content["verification"]))
        else:
            lines.setdefault(run, []).append(json.dumps(content))
    runs = {}
    with tempfile.TemporaryDirectory() as place:
        for run, of_run in lines.items():
            file = Path(place) / f"{run.replace('/', '.')}.jsonl"
            file.write_text("\n".join(of_run), encoding="utf-8")
            runs[run] = results.read(file)
    return Kept(name=name, head=head, body=body, runs=runs, trials=trials, numbers=numbers)


def take_in(name: str, study: Path, add: bool = False) -> None:
    """Write the headline rows of a study's folders beside the page, without what is as it is by default.

    Of heads that a verification has trained, its own file says what counts; of models with several seeds, the numbers
    that effects are made of.

    Args:
        name: of the page.
        study: its folder.
        add: keep what the page has of other arms, seeds, corpora and runs.

    Raises:
        UserError: there is nothing in the folder that the page is made of.
    """
    head, _ = parts(name)
    file = FOLDER / f"{name}.jsonl"
    found = list(_taken_in(head, study))
    if not found:
        raise UserError(f"{study}: none of what {name} is made of is there; its template says which folders are")
    if add and file.is_file():
        new = {_part(each) for each in found}
        there = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        found = [*(each for each in there if _part(each) not in new), *found]
    if "trainings" in head:
        found = trajectories.with_best(found)
    file.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in found), encoding="utf-8")


def _part(content: Mapping[str, Any]) -> tuple[Any, ...]:
    """What is replaced together: numbers of a model on a corpus, or rows and verifications of a run."""
    names = ("arm", "seed", "corpus") if "arm" in content else ("run",)
    return tuple(content[each] for each in names)


def _taken_in(head: Mapping[str, Any], study: Path) -> Iterator[dict[str, Any]]:
    """The numbers, rows and verifications that a page is made of."""
    over = head.get("trainings") or head.get("corpora")
    if over:
        for folder, corpus in over.items():
            if not (study / folder).is_dir():
                continue
            if "trainings" in head:
                yield from trajectories.records(study / folder, corpus)
            else:
                numbers = factorial.records(folders.folders(study / folder))
                yield from ({"corpus": corpus, **number} for number in numbers)
        return
    without = set(head.get("without") or ())
    for folder in sorted(path.parent for path in study.rglob(results.FILE_NAME)):
        if trial.FOLDER in folder.relative_to(study).parts:
            continue
        run = folder.relative_to(study).as_posix()
        for row in current.read(folder).rows:
            if row.headline and ("units" not in head or f"{run} {row.tap} {row.units}" in head["units"].values()):
                content = json.loads(results.line(row))
                kept = {
                    key: value
                    for key, value in content.items()
                    if value != _DEFAULTS.get(key, "") and key not in without
                }
                yield {"run": run, **kept}
        yield from ({"run": run, "verification": each.as_json()} for each in trial.below(folder))
    for folder in head.get("numbers") or ():
        for path in sorted((study / folder).rglob("*.jsonl")):
            yield from (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
