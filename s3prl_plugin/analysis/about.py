"""What every measure and score is: read from the `about.yaml` beside the code that computes it.

A downstream's folder holds one; reports, `ls measures` and `select` explain numbers by it alone, and an analysis
refuses to write a row that it does not explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import yaml

from s3prl_plugin import own_upstreams, registry
from s3prl_plugin.config.plain_yaml import load_packaged
from s3prl_plugin.config.schema import descriptions
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.plugins import offers, origin
from s3prl_plugin.plugins.folders import folders as folders_of
from s3prl_plugin.results import Row

FILE_NAME = registry.ABOUT
OF_CORPORA = "s3prl_plugin.analysis"  # rows about a corpus alone
PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One score.

    Attributes:
        says: what it is, in one sentence.
        range: (least, most), for reading.
        chance: what it is without any information.
        cannot: what it does not say, so that "it cannot ..." is a sentence.
        source: where it is defined.
        unit: None for a number without one.
        headline: True where tables show it; "published" where they do under that protocol alone.
    """

    says: str
    range: tuple[Any, Any]
    chance: str
    cannot: str
    source: str
    unit: str | None = None
    headline: bool | str = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure.

    Attributes:
        name: as in a row.
        about: what of speech it is about.
        view: what a layer is compared with.
        scores: those of its downstream.
        fields: what `details` of its downstream's rows say: name -> what it is.
        tasks: for which one looks at it to choose a layer; "" for none.
        direction: "higher" or "lower" is better.
        subset, control: of the rows that stand for the measure where one row must: what tables and `select` go by.
        headline: the score that tables show; None where there is a table of its own.
        place: the order in which measures are shown: (subject, downstream).
        package: which explains it.
    """

    name: str
    about: str
    view: str
    scores: Mapping[str, Score]
    fields: Mapping[str, str]
    headline: str | None
    tasks: str = ""
    direction: str = "higher"
    subset: str | None = None
    control: str | None = None
    place: tuple[int, int] = field(default=(0, 0))
    package: str = ""


def of(package: str) -> dict[str, Measure]:
    """The measures of one package, by name.

    Args:
        package: whose folder holds an `about.yaml`.

    Raises:
        UserError: there is none, or it does not explain what it names.
    """
    return dict(_read(_file_of(package)))


def everything() -> dict[str, Measure]:
    """The measures of all registered downstreams, and of corpora, by name; in the order in which they are shown.

    Those of another package that does not explain them are left out, with a warning.
    """
    return _everything(tuple(registry.downstreams().values()))


@cache
def _everything(packages: tuple[str, ...]) -> dict[str, Measure]:
    """The same of these packages."""
    explained = [package for package in packages if _file_of(package).is_file()]
    found: dict[str, Measure] = {}
    subjects: list[str] = []
    for number, package in enumerate([*sorted(explained, key=_order), OF_CORPORA]):
        try:
            measures = of(package)
            if taken := sorted(found.keys() & measures):
                raise UserError(f"{_file_of(package)}: another downstream has a measure {taken[0]!r}, too; rename it")
        except UserError as error:
            if origin.is_own(package):
                raise
            offers.warn(f"{origin.named(package)}: {error} (left out)")
            continue
        for measure in measures.values():
            if measure.about not in subjects:
                subjects.append(measure.about)
            found[measure.name] = replace(measure, place=(subjects.index(measure.about), number), package=package)
    return {measure.name: measure for measure in sorted(found.values(), key=lambda measure: measure.place)}


def _order(package: str) -> tuple[bool, float, str]:
    """The place of a package's measures among those of the others: by the number `order` in its file, then by name."""
    try:
        order = load_packaged(_file_of(package))["order"]
        return not origin.is_own(package), float(order), package
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return not origin.is_own(package), inf, package


def _file_of(package: str) -> Path:
    """The file of one package, whether it is there or not."""
    return Path(next(iter(folders_of(package)), package), FILE_NAME)


def score_of(measure: str, score: str) -> Score | None:
    """What a score of a measure is; None where nothing explains it (a task's, or an older version's)."""
    known = everything().get(measure)
    return known.scores.get(score) if known else None


def bibtex() -> dict[str, str]:
    """What a source, or the name of a model, must contain -> the BibTeX entry that stands for it.

    An `about.yaml`, of a downstream or an upstream, has them under `bibtex`. A model is looked for as "model " and
    its entry, type or checkpoint.
    """
    upstreams = [
        str(getattr(package, "__name__", "")).rpartition(".")[0] for package in own_upstreams.packages().values()
    ]
    found: dict[str, str] = {}
    for path in map(_file_of, [*registry.downstreams().values(), OF_CORPORA, *upstreams]):
        try:
            said = yaml.safe_load(path.read_text(encoding="utf-8")).get("bibtex") if path.is_file() else None
        except (OSError, yaml.YAMLError, AttributeError):
            continue  # told where the measures are read
        if isinstance(said, dict):
            found |= {str(words): str(entry) for words, entry in said.items()}
    return found


def is_plain(row: Row) -> bool:
    """Whether a row stands for its measure: of the usual part of the data, with nothing unusual held constant."""
    known = everything().get(row.measure)
    usual = (known.subset, known.control) if known else (None, None)
    return (row.subset, row.control) == usual


def check(package: str, measure: str, score: str, details: Iterable[str] = ()) -> None:
    """Whether a package explains a score that it is about to write, and the details of its row.

    Raises:
        UserError: it does not.
    """
    known = _checked(package).get(measure) or _checked(OF_CORPORA).get(measure)
    if known is None or score not in known.scores:
        raise UserError(f"{package}: its {FILE_NAME} explains no {measure}/{score}; add it there")
    if unknown := sorted(set(details) - known.fields.keys()):
        raise UserError(f"{package}: a row has no field {unknown[0]!r}, and `fields` of its {FILE_NAME} explains none")


def check_measures(package: str, measures: Iterable[str]) -> None:
    """Whether a package explains the measures that it is about to compute.

    Raises:
        UserError: it does not.
    """
    for measure in measures:
        if measure not in _checked(package):
            raise UserError(f"{package}: its {FILE_NAME} explains no measure {measure}; add it under `measures:`")


_checked = cache(of)


def _read(path: Path) -> Iterator[tuple[str, Measure]]:
    """The measures of one file."""
    try:
        content = load_packaged(path)
        scores = {name: Score(**_plain(path, name, said)) for name, said in content["scores"].items()}
        details = {name: str(said) for name, said in content.get("fields", {}).items()}
        usual = next((name for name, score in scores.items() if score.headline is True), None)
        for name, said in content["measures"].items():
            headline = said.get("headline", usual)
            if headline is not None and headline not in scores:
                raise UserError(f"{path}: headline of {name}: {did_you_mean(str(headline), scores)}")
            whole = {**said, "name": name, "scores": scores, "fields": details, "headline": headline}
            _check_keys(path, f"measures.{name}", whole, Measure)
            yield name, Measure(**whole)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); a downstream explains its measures there"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not what a downstream's {FILE_NAME} holds ({error}); see that of cca") from None


def _check_keys(path: Path, where: str, said: Mapping[str, Any], kind: type[Score | Measure]) -> None:
    """Refuse what lacks something, or has something that nothing reads."""
    options = {option.name: option for option in fields(kind)}
    for key in said:
        if key not in options:
            raise UserError(f"{path}: unknown key {key!r} in {where}; {did_you_mean(str(key), options)}")
    for name, option in options.items():
        if name not in said and option.default is MISSING:
            raise UserError(f"{path}: {where} lacks `{name}`: {descriptions(kind)[name]}")


def _plain(path: Path, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """A score as the file has it, with texts that are texts."""
    _check_keys(path, f"scores.{name}", said, Score)
    return {**said, "chance": str(said["chance"]), "range": tuple(said["range"])}
