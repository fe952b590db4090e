"""The section `measured` of the small trained models' cards, from the rows of the studies in OUT: see cards.yaml.

    python -m benchmarks.cards OUT

writes it into `upstream/mr_hubert/tiny/NAME.yaml`, and leaves the rest of a card as it is. Of every measure it has the
best state tap, chosen by the score itself, beside that of random weights and of spectra, and the paired difference.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import current, state_taps
from s3prl_plugin.inference.differences import difference
from s3prl_plugin.jobs.exit_status import exit_status
from s3prl_plugin.results import Row
from s3prl_plugin.upstream.mr_hubert import packaged

CORPORA = ("generated", "timit")  # folders in OUT
MEASURES = ("cca_phone", "mi_phone", "cca_word")
RANK = "rank"
OTHERS = {"its random weights": "{name}_random", "log-mel (80)": "log_mel", "fbank with deltas (240)": "fbank"}
SECTION = "measured:\n"


def measured(folder: Path, name: str) -> dict[str, Any]:
    """Corpus -> measure -> what it says of a model, of others, and of the difference.

    Args:
        folder: OUT.
        name: of the model.

    Raises:
        UserError: rows are missing, or cannot be compared.
    """
    found: dict[str, Any] = {}
    for corpus in CORPORA:
        of_model = _rows(folder / corpus / name)
        others = {title: _rows(folder / corpus / run.format(name=name)) for title, run in OTHERS.items()}
        found[corpus] = {measure: _compared(of_model, others, measure) for measure in MEASURES}
        found[corpus][RANK] = {
            str(row.tap): round(row.value, 1) for row in of_model if row.measure == RANK and row.value is not None
        }
    return found


def write(card: Path, section: dict[str, Any]) -> None:
    """Replace the last section of a card."""
    before, found, _ = card.read_text(encoding="utf-8").partition(SECTION)
    if not found:
        raise UserError(f"{card}: has no section `{SECTION.strip()}`")
    text = yaml.safe_dump({SECTION.strip(":\n"): section}, sort_keys=False, width=120, default_flow_style=None)
    results.replace_file(card, (before + text).encode())


def _compared(rows: Sequence[Row], others: Mapping[str, Sequence[Row]], measure: str) -> Any:
    """The best taps and their differences; a line where there is no number, or data hardly carry it."""
    own = _best(rows, measure)
    if own is None:
        return next(f"refused: {row.refused}" for row in rows if row.measure == measure)
    if own.grey:
        return f"{own.value:.2f} [{own.ci_low:.2f}, {own.ci_high:.2f}] at {own.tap}, {own.grey}"
    found = {"this model": _told(own)}
    for title, of_other in others.items():
        other = _best(of_other, measure)
        if other is None:
            raise UserError(f"{title}: no {measure} to compare with")
        less = difference(own, other)
        found[title] = {**_told(other), "this model less that": _numbers(less.value, less.ci_low, less.ci_high)}
    return found


def _best(rows: Sequence[Row], measure: str) -> Row | None:
    return state_taps.best([row for row in rows if row.measure == measure])


def _told(row: Row) -> dict[str, Any]:
    return {"tap": row.tap, "score": row.score, **_numbers(row.value, row.ci_low, row.ci_high)}


def _numbers(value: float | None, low: float | None, high: float | None) -> dict[str, Any]:
    value, low, high = (None if number is None else round(number, 3) for number in (value, low, high))
    return {"value": value, "interval": [low, high]}


def _rows(folder: Path) -> list[Row]:
    """The headline rows of a run.

    Raises:
        UserError: there are none.
    """
    rows = [row for row in current.read(folder).rows if row.headline]
    if not rows:
        raise UserError(f"{folder}: no rows; run the study of benchmarks/cards.yaml first")
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sections; a mistake is reported in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cards", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder of the studies of both corpora")
    out: Path = parser.parse_args(argv).out

    def run() -> int:
        for name in packaged.names():
            write(packaged.checkpoint(name).with_suffix(".yaml"), measured(out, name))
        return 0

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
