"""The pages of the gallery, rebuilt from the rows beside them: no number on them is written by hand.

    python docs/gallery/build.py                         # every page and its picture
    python docs/gallery/build.py whisper_tiny_en         # one of them
    python docs/gallery/build.py whisper_tiny_en --study whisper_study     # take in the rows of a run first
    python docs/gallery/build.py vielzeuf_2024 --study more_seeds --add    # beside those that the page has

`--add` replaces what the study has itself, numbers of the same arm, seed and corpus, and rows of the same run; all else
stays. So other machines add seeds, and a run is repeated by itself.

A page NAME is made of
    NAME.yaml       the run: what `-c` is given
    NAME.jsonl      the headline rows of its folders, each with the folder under `run`; and what `select --verify` kept
                    in them, likewise, under `verification`
    NAME.template   the page: YAML between two lines of `---`, then Markdown
and becomes NAME.md and NAME.png. The template's YAML says `study` (the run's folder, as commands name it), `holds`
(what the text claims, `RUN MEASURE TAP > RUN MEASURE TAP`: 95 % intervals that do not touch; a page whose rows do not
hold it is not built) and `picture` (`models`: name -> RUN; `measures`; or, of verifications, `against`: `TASK MEASURE`
of every panel). `without` names fields of rows that the page does not need, so that its file is small. In its Markdown
    {{ score RUN MEASURE TAP }}       is a number, or a task's score without a tap
    {{ refused RUN MEASURE }}         is why there is none
    {{ field RUN MEASURE NAME }}      is a field that all its rows have in common
    {{ layers RUN+RUN MEASURE+MEASURE }}    is a table of state taps, one line per measure and run
    {{ best RUN+RUN MEASURE+MEASURE }}      is a table of every run's best state tap, or its task's score
    {{ agreement RUN+RUN MEASURE+MEASURE }} is a table of how alike measures rank state taps, by Spearman's correlation
    {{ verdicts TASK }}               is what the verifications of a task say together, in words
    {{ verified TASK }}               is the same in tables; of a MEASURE over folds, of all runs, likewise
and under a command of s3prl-plugin in a block that begins with ```console comes what it prints when run on the rows.

A page of models with several training seeds has numbers in NAME.jsonl in place of rows, or beside them. Its YAML says
`corpora`, the study's folders of the factorial (a folder below the study -> what its corpus is called), `claims` and
`tables` (`over_seeds.py` has what they are), and the picture is of the claims. Numbers at several updates have
`trainings` in place of `corpora`, and a `picture` of `panels`: title -> the fields of its numbers (`trajectories.py`).
Then
    {{ verdict CLAIM }}               is what the intervals of a claim say
    {{ claim CLAIM }}                 is a table of its effects
    {{ means TABLE }}                 is a table of means over seeds
    {{ effects TABLE }}               is a table of main effects and interactions, at equal updates and equal cost
    {{ rates MEASURE+MEASURE }}       is a table of the head's `units`: their bits per second, and what they tell
`numbers` names folders of the study whose files of lines are taken in as they are. `units` (a name -> `RUN TAP UNITS`,
of rows of `-d rate`, the only rows that are kept then) are arms of claims, too, with speakers in place of seeds:
`of: speakers`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from unittest import mock

import over_seeds
import trajectories
import yaml
from PIL import Image

from s3prl_plugin import results
from s3prl_plugin.analysis import about
from s3prl_plugin.commands import main as command
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.inference import current, differences, folders, state_taps
from s3prl_plugin.questions import factorial
from s3prl_plugin.report import drawing
from s3prl_plugin.report.sections import Cell, Column, Section, Table, written
from s3prl_plugin.report.text import UNKNOWN_WIDTH, table, text
from s3prl_plugin.results import Row
from s3prl_plugin.select.verify import figure, trial
from s3prl_plugin.select.verify.outcome import against
from s3prl_plugin.select.verify.sections import of_several
from s3prl_plugin.select.verify.trial import Trial
from s3prl_plugin.strides import ms_text

FOLDER = Path(__file__).parent
PROMPT = "$ "
COLOURS = 96  # of a picture: its letters stay crisp, and its file is small
COLUMN = Column("", "number", decimals=3)
_PLACE = re.compile(r"\{\{ *(\w+) ([^}]*?) *\}\}")
_CONSOLE = re.compile(r"^```console\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_DEFAULTS = {f.name: f.default for f in fields(Row)}


@dataclass(frozen=True)
class Page:
    """A page that is to be built.

    Attributes:
        name: of its files.
        runs: folder in the study -> its rows: of a run, and of a seed of its tasks' heads.
        trials: folder in the study -> the verifications of its tasks.
        head: what the template's YAML says.
        body: its Markdown.
        numbers: of models with several seeds.
    """

    name: str
    runs: dict[str, list[Row]]
    trials: dict[str, list[Trial]]
    head: dict[str, Any]
    body: str
    numbers: Sequence[dict[str, Any]] = ()

    @property
    def seeds(self) -> over_seeds.OverSeeds:
        """The claims about models with several seeds."""
        numbers = [*self.numbers, *self._of_speakers()]
        return over_seeds.OverSeeds(self.name, numbers, self.head.get("claims") or {})

    def text(self) -> str:
        """The page.

        Raises:
            UserError: the rows do not hold what it claims, or lack what it shows.
        """
        for claim in self.head.get("holds", ()):
            better, worse = (self.row(*side.split()) for side in claim.split(" > "))
            if not (better.ci_low or 0.0) > (worse.ci_high if worse.ci_high is not None else float("inf")):
                raise UserError(f"{self.name}: the rows do not hold what the page claims: {claim}")
        with self._folders():
            body = _CONSOLE.sub(lambda block: f"```console\n{_session(block[1])}```\n", self.body)
        shows: dict[str, Callable[..., str]] = {
            "score": lambda run, measure, tap=None: written(Cell(self.row(run, measure, tap).value), COLUMN, "refused"),
            "field": self._field,
            "refused": lambda run, measure: next(r.refused for r in self.of(run, measure) if r.refused),
            "layers": lambda runs, measures: _shown(self._layers(runs.split("+"), measures.split("+"))),
            "best": lambda runs, measures: _shown(self._best(runs.split("+"), measures.split("+"))),
            "agreement": lambda runs, measures: _shown(self._agreement(runs.split("+"), measures.split("+"))),
            "verdicts": lambda task: "\n".join(f"- {line}" for line in self._verified(task).lead[1:]),
            "verified": lambda task: text([self._verified(task, lines=1)], markdown=True).strip(),
            "verdict": self.seeds.verdict,
            "claim": lambda claim: _shown(self.seeds.table(claim)),
            "means": lambda name: _shown(self.seeds.means(self.head["tables"][name])),
            "effects": lambda name: _shown(self.seeds.effects(self.head["tables"][name])),
            "rates": lambda measures: _shown(self._rates(measures.split("+"))),
        }
        found = _PLACE.sub(lambda place: shows[place[1]](*place[2].split()), body)
        return f"<!-- built by build.py from {self.name}.template and {self.name}.jsonl -->\n{found}"

    def draw(self, path: Path) -> None:
        """Write the picture, in as many colours as it needs."""
        drawing.save(self._chart(), path)
        with Image.open(path) as drawn:
            drawn.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
                path, optimize=True, dpi=drawn.info["dpi"]
            )

    def _chart(self) -> Any:
        """The picture."""
        if "picture" not in self.head:
            return over_seeds.figure(self.seeds)
        picture = self.head["picture"]
        if "against" in picture:
            panels = [tuple(panel.split()) for panel in picture["against"]]
            trials = [each for task in dict.fromkeys(task for task, _ in panels) for each in self._trials(task)]
            return figure.scatter(trials, panels, picture["title"])
        if "panels" in picture:
            return trajectories.figure(self.numbers, picture["panels"])
        models = {name: self.runs[run] for name, run in picture["models"].items()}
        return drawing.layer_curves(models, picture["measures"], title=picture.get("title"))

    def of(self, run: str, measure: str) -> list[Row]:
        """The rows of a run's measure.

        Raises:
            UserError: there are none.
        """
        if run not in self.runs:
            raise UserError(f"{self.name}: no run {run}; {did_you_mean(run, self.runs)}")
        every = [row for folder, rows in self.runs.items() if folder.split("/")[0] == run for row in rows]
        found = [row for row in every if row.measure == measure]
        if not found:
            raise UserError(f"{self.name}: {run} has no {measure}")
        return found

    def row(self, run: str, measure: str, tap: str | None = None) -> Row:
        """The row of one tap, or of a task."""
        rows = {row.tap: row for row in self.of(run, measure)}
        if tap not in rows:
            raise UserError(f"{self.name}: {run} {measure} has no tap {tap}")
        return rows[tap]

    def _field(self, run: str, measure: str, name: str) -> str:
        """What all rows of a measure have in common."""
        (value,) = {str(getattr(row, name)) for row in self.of(run, measure)}
        return value

    def _layers(self, runs: Sequence[str], measures: Sequence[str]) -> Table:
        """One line per measure and run, the best tap of each marked; ± half of the 95 % interval."""
        taps = [str(row.tap) for row in state_taps.states(self.of(runs[0], measures[0]))]
        rows = []
        for measure, run in itertools.product(measures, runs):
            best = state_taps.best(self.of(run, measure))
            found = (self.row(run, measure, tap) for tap in taps)
            rows.append((f"{measure}, {run}", *(replace(_cell(row), star=row is best) for row in found)))
        return Table(columns=("", *(replace(COLUMN, name=f"`{tap}`") for tap in taps)), rows=tuple(rows))

    def _best(self, runs: Sequence[str], measures: Sequence[str]) -> Table:
        """One line per run."""
        rows = []
        for run in runs:
            cells = []
            for measure in measures:
                of = self.of(run, measure)
                row = of[0] if of[0].tap is None else state_taps.best(of)
                where = f"(`{row.tap}`)" if row is not None and row.tap is not None else ""
                cells.append(Cell(text="refused") if row is None else replace(_cell(row), small=where))
            rows.append((run, *cells))
        return Table(columns=("", *(replace(COLUMN, name=measure) for measure in measures)), rows=tuple(rows))

    def _agreement(self, runs: Sequence[str], measures: Sequence[str]) -> Table:
        """One line per run: rank correlations of its state taps by two measures, so that 1 is always agreement."""
        from scipy.stats import spearmanr

        pairs = list(itertools.combinations(measures, 2))
        rows = []
        for run in runs:
            scores = {
                measure: {
                    row.tap: (row.value or 0.0) * (1 if row.higher_is_better else -1)
                    for row in state_taps.valued(self.of(run, measure))
                }
                for measure in measures
            }
            taps = list(scores[measures[0]])
            rho = [spearmanr(*([scores[each][tap] for tap in taps] for each in pair)).statistic for pair in pairs]
            rows.append((run, len(taps), *rho))
        columns = (
            Column("taps", "number", decimals=0),
            *(Column(", ".join(pair), "signed", decimals=2) for pair in pairs),
        )
        return Table(columns=("", *columns), rows=tuple(rows))

    def _verified(self, task: str, lines: int | None = None) -> Section:
        """What the verifications of a task say together; its first lines alone, where so many are asked for."""
        (said,) = of_several(self._trials(task))
        return replace(said, title="", lead=said.lead[:lines])

    def _trials(self, task: str) -> list[Trial]:
        """The verifications of a task, or a measure in their place."""
        found = [each for own in self.trials.values() for each in own if each.task == task]
        if not found and task in about.everything():
            found = [against(rows, task, run) for run, rows in self.runs.items()]
        if not found:
            raise UserError(f"{self.name}: no verification of {task}")
        return found

    def _rates(self, measures: Sequence[str]) -> Table:
        """One line per way to make units: what they cost, and what one of them tells."""
        rows = []
        for name in self.head["units"]:
            of = self._of_units(name)
            some = of[measures[0]]
            bits = some.number("entropy_bits_per_s") or 0.0
            rows.append(
                (name, Cell(text=ms_text(some.stride or 0)), bits, *(_cell(of[measure]) for measure in measures))
            )
        heads = ("units", Column("ms", "number"), Column("bit/s, by entropy", decimals=0))
        return Table(columns=(*heads, *(replace(COLUMN, name=measure) for measure in measures)), rows=tuple(rows))

    def _of_units(self, name: str) -> dict[str, Row]:
        """Measure -> row, of some units of the head."""
        run, tap, units = self.head["units"][name].split(maxsplit=2)
        rows = {row.measure: row for row in self.runs.get(run, ()) if (row.tap, row.units) == (tap, units)}
        if not rows:
            raise UserError(f"{self.name}: {run} has no {units} of {tap}")
        return rows

    def _of_speakers(self) -> Iterator[dict[str, Any]]:
        """Numbers of every speaker, whose mean is that of a row: over them, intervals of differences are jackknifed."""
        for name in self.head.get("units") or ():
            for measure, row in self._of_units(name).items():
                if differences.lacks(row) is None:
                    same = {"arm": name, "corpus": row.corpus, "measure": measure, "of": "speakers"}
                    for speaker, value in enumerate(differences.estimate(row).folds):
                        yield {**same, "seed": speaker, "value": value, "higher_is_better": row.higher_is_better}

    @contextlib.contextmanager
    def _folders(self) -> Any:
        """Inside the block the runs' folders lie in the working directory, as commands name them."""
        with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
            config = yaml.safe_load((FOLDER / f"{self.name}.yaml").read_text(encoding="utf-8"))
            for run, rows in self.runs.items():
                folder = Path(self.head["study"]) / run
                results.write(folder, rows)
                # How the upstream was loaded, and what the suite was: as s3prl keeps them in a run's folder.
                said = config["study"]["upstreams"].get(run, {})
                arguments = {"upstream": said.get("upstream"), "upstream_ckpt": said.get("checkpoint")}
                for name, content in (("args", arguments), ("config", {"suite": config["suite"]})):
                    (folder / f"{name}_1.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
                for each in self.trials.get(run, ()):
                    results.replace_file(trial.file_of(folder, each.task), json.dumps(each.as_json()).encode())
            yield


def page(name: str) -> Page:
    """A page of the gallery, from its files.

    Raises:
        UserError: there is none of that name.
    """
    if name not in names():
        raise UserError(f"{name}: no page of the gallery; {did_you_mean(name, names())}")
    head, body = _parts(name)
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
    return Page(name, runs, trials, head, body, numbers)


def _parts(name: str) -> tuple[dict[str, Any], str]:
    """A template's YAML, and its Markdown."""
    _, head, body = (FOLDER / f"{name}.template").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def names() -> list[str]:
    """The pages."""
    return sorted(path.stem for path in FOLDER.glob("*.template"))


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
    head, _ = _parts(name)
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


def _session(text: str) -> str:
    """Commands, and what those of s3prl-plugin print where no terminal limits their width."""
    found = []
    for line in text.splitlines():
        found.append(f"{line}\n")
        words = shlex.split(line.removeprefix(PROMPT))
        if line.startswith(PROMPT) and words[0] == "s3prl-plugin":
            with (
                mock.patch.dict(os.environ, COLUMNS=str(UNKNOWN_WIDTH)),
                contextlib.redirect_stdout(io.StringIO()) as said,
                contextlib.redirect_stderr(io.StringIO()) as wrong,
            ):
                status = command(words[1:])
            if status:
                raise UserError(f"{line}: {wrong.getvalue().strip()}")
            found += [f"{each}\n".replace(" \n", "\n") for each in said.getvalue().rstrip().splitlines()]
    return "".join(found)


def _cell(row: Row) -> Cell:
    return Cell(row.value, low=row.ci_low, high=row.ci_high, text=None if row.refused is None else "refused")


def _shown(found: Table) -> str:
    return table(found, markdown=True)


def main(words: Sequence[str] | None = None) -> int:
    """Build the pages that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"a page: {', '.join(names())} (default: all)")
    parser.add_argument("--study", type=Path, help="the folder of a run whose rows the page is to have from now on")
    parser.add_argument("--add", action="store_true", help="to what the page has: what the study has not stays")
    args = parser.parse_args(words)
    try:
        if args.add and args.study is None:
            raise UserError("--add: name the study that is to be added, --study FOLDER")
        if args.study is not None:
            if len(args.names) != 1:
                raise UserError("--study: name the page that is to have its rows")
            take_in(args.names[0], args.study, args.add)
        for name in args.names or names():
            built = page(name)
            (FOLDER / f"{name}.md").write_text(built.text(), encoding="utf-8")
            built.draw(FOLDER / f"{name}.png")
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
