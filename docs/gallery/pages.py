"""A page of the gallery: its text with all numbers and tables, and its picture."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import kept
import over_seeds
import trajectories
import yaml
from PIL import Image

from s3prl_plugin import results
from s3prl_plugin.analysis import about
from s3prl_plugin.commands import main as command
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.inference import differences, state_taps
from s3prl_plugin.report import drawing
from s3prl_plugin.report.sections import Cell, Column, Section, Table, written
from s3prl_plugin.report.text import UNKNOWN_WIDTH, table, text
from s3prl_plugin.results import Row
from s3prl_plugin.select.verify import figure, trial
from s3prl_plugin.select.verify.outcome import against
from s3prl_plugin.select.verify.sections import of_several
from s3prl_plugin.select.verify.trial import Trial
from s3prl_plugin.strides import ms_text

PROMPT = "$ "
COLOURS = 96  # of a picture: its letters stay crisp, and its file is small
COLUMN = Column("", "number", decimals=3)
_PLACE = re.compile(r"\{\{ *(\w+) ([^}]*?) *\}\}")
_CONSOLE = re.compile(r"^```console\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Page(kept.Kept):
    """A page that is to be built, of what is kept beside it."""

    @classmethod
    def named(cls, name: str) -> Page:
        """A page of the gallery.

        Raises:
            UserError: there is none of that name.
        """
        return cls(**vars(kept.read(name)))

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
            config = yaml.safe_load((kept.FOLDER / f"{self.name}.yaml").read_text(encoding="utf-8"))
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
