"""QbE: the maximum term-weighted value of what s3prl's `quesst14_dtw` downstream leaves as a list of detections."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from s3prl_plugin.errors import UserError
from s3prl_plugin.superb.term_weighted_value import maximum_twv

DETECTIONS = "benchmark.stdlist.xml"
MISSING = -10.0  # the score that SUPERB gives to what was not searched: queries and documents in other languages


def score(folder: Path, split: str, settings: Mapping[str, Any]) -> dict[str, float]:
    """Score the detections of a split against the corpus's ground truth.

    Args:
        folder: where the downstream has left benchmark.stdlist.xml.
        split: "dev", or any other name for the evaluation queries.
        settings: of the task.

    Returns:
        `quesst14/mtwv`.

    Raises:
        UserError: the ground truth lacks a file, or holds nothing that could be found.
    """
    part = "dev" if split == "dev" else "eval"
    truth = Path(settings["downstream_expert"]["datarc"]["dataset_root"]) / "scoring" / f"groundtruth_quesst14_{part}"
    queries = {term.attrib["termid"] for term in _xml(truth, ".tlist.xml").iter("term")}
    excerpts = _xml(truth, ".ecf.xml").iter("excerpt")
    documents = {PurePosixPath(excerpt.attrib["audio_filename"]).stem for excerpt in excerpts}
    holding = read_occurrences(_one(truth, ".rttm"), queries)
    scores = {
        found.attrib["termid"]: {term.attrib["file"]: float(term.attrib["score"]) for term in found.iter("term")}
        for found in ElementTree.parse(folder / DETECTIONS).getroot().iter("detected_termlist")
    }
    try:
        return {"quesst14/mtwv": maximum_twv(scores, holding, documents, MISSING)}
    except ValueError as error:
        raise UserError(f"{truth}: {error}; give the whole corpus") from None


def read_occurrences(file: Path, queries: set[str]) -> dict[str, set[str]]:
    """The documents that hold each query.

    Args:
        file: lines `LEXEME document channel start length query ...`.
        queries: all of them; one that is nowhere has no documents.
    """
    holding: dict[str, set[str]] = {query: set() for query in queries}
    for line in file.read_text(encoding="utf-8").splitlines():
        kind, *fields = line.split() or [""]
        if kind != "LEXEME":
            continue
        document = PurePosixPath(fields[0]).stem
        for query in queries.intersection(fields[4:]):
            holding[query].add(document)
    return holding


def _xml(folder: Path, ending: str) -> Any:
    """The root of the one XML file with an ending."""
    file = _one(folder, ending)
    try:
        return ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        raise UserError(f"{file}: not XML ({error}); unpack the corpus again") from None


def _one(folder: Path, ending: str) -> Path:
    """The one file in a folder with an ending."""
    files = sorted(folder.glob(f"*{ending}"))
    if len(files) != 1:
        raise UserError(f"{folder}: {len(files)} files *{ending}, and one is needed; give the folder of QUESST 2014")
    return files[0]
