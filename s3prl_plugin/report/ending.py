"""How a run ends: its table, where the results are, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from s3prl_plugin import results
from s3prl_plugin.analysis import about
from s3prl_plugin.inference import current
from s3prl_plugin.report import tables
from s3prl_plugin.report.text import text
from s3prl_plugin.results import Row

PAGE = "report.html"
_TASK = re.compile(r"\(([A-Za-z]+)")


def of_analysis(expdir: str | Path, downstream: str) -> str:
    """The end of a lone analysis; "" where it wrote no results, as a part of a corpus writes none.

    Args:
        expdir: of the run.
        downstream: the analysis.
    """
    if not (Path(expdir) / results.FILE_NAME).is_file():
        return ""
    rows = [row for row in current.read(expdir).rows if row.downstream == downstream]
    if not rows:
        return ""
    latest = tables.groups(rows)[-1]
    return "\n".join(["", text([tables.of_run(latest)]), *lines(expdir, rows)])


def lines(expdir: str | Path, rows: Sequence[Row] | None = None) -> list[str]:
    """Where the results of a run are, and what to do next.

    Args:
        expdir: of the run.
        rows: of it; by default those in the folder.
    """
    path = Path(expdir) / results.FILE_NAME
    if rows is None:
        rows = current.read(expdir).rows if path.is_file() else ()
    known = about.everything()
    said = [known[row.measure].tasks for row in rows if row.measure in known and row.value is not None]
    said.sort(key=lambda tasks: "weak evidence" in tasks)  # of the spectrum, where phones are told of as well
    task = next((match[1] for tasks in said if (match := _TASK.search(tasks))), None)
    page = Path(expdir) / PAGE
    found = [f"results: {path}", f"next: s3prl-plugin report {expdir} -o {page}  (curves, methods, references)"]
    return found + ([f"next: s3prl-plugin select {expdir} --task {task}  (which layer to take)"] if task else [])


def as_json(expdir: str | Path) -> str:
    """Every row of a run, or of the runs of a study, a line each, as `report --json` prints them."""
    from s3prl_plugin.inference.folders import folders

    found = [folder for folder in folders(expdir) if (folder / results.FILE_NAME).is_file()]
    return "\n".join(results.line(row) for folder in found for row in current.read(folder).rows)
