"""Entry points: which upstreams, downstreams and corpora other packages have, and what is wrong with them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distributions
from itertools import chain

from s3prl_plugin.errors import reason
from s3prl_plugin.plugins import OWN

GROUPS = {
    "upstream": f"{OWN}.upstreams",
    "downstream": f"{OWN}.downstreams",
    "corpus": f"{OWN}.corpora",
}
# what the value of an entry point must be; see `registry.add_upstream` and the others
FORMS = {
    "upstream": (re.compile(r"[\w.]+:\w+"), "package.module:function"),
    "downstream": (re.compile(r"[\w.]+"), "package"),
    "corpus": (re.compile(r"[\w.]+"), "package.module"),
}
_wrong: dict[tuple[str, str], str] = {}


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry point.

    Attributes:
        kind: of `GROUPS`.
        name: as in `-u`, `-d`, or before the colon of a corpus.
        target: where it is; see `FORMS`.
        package: the distribution that offers it.
        version: of that.
    """

    kind: str
    name: str
    target: str
    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.package} {self.version}"


@cache
def offers(kind: str) -> dict[str, Offer]:
    """What other packages offer: name -> where it is. A name that several offer, or a wrong one, is in `wrong`.

    Args:
        kind: of `GROUPS`.
    """
    found: dict[str, list[Offer]] = {}
    for offer in everything():
        if offer.kind == kind:
            found.setdefault(offer.name, []).append(offer)
    usable = {}
    for name, several in found.items():
        first, form = several[0], FORMS[kind]
        if len({offer.package for offer in several}) > 1:
            who = " and ".join(f"{offer.package} {offer.version}" for offer in several)
            refuse(kind, name, f"{kind} {name!r} is offered by {who}: uninstall one of them")
        elif not (name.isidentifier() and not name.startswith("_") and form[0].fullmatch(first.target)):
            refuse(kind, name, f"{first}: its entry point is {first.target!r}, and must be an identifier = {form[1]!r}")
        else:
            usable[name] = first
    return usable


def refuse(kind: str, name: str, message: str) -> None:
    """Leave something out that another package offers, with a warning line; using it is an error."""
    _wrong[kind, name] = message
    warn(f"{message} (left out)")


def wrong(kind: str, name: str) -> str | None:
    """Why something that is offered was left out; None where it was not."""
    return _wrong.get((kind, name))


def all_wrong() -> list[str]:
    """Whatever was left out, and why."""
    return list(_wrong.values())


def warn(line: str) -> None:
    """Tell the user of what hinders nothing else."""
    print(f"[plugin] warning: {line}", file=sys.stderr, flush=True)


@cache
def everything() -> tuple[Offer, ...]:
    """Every entry point of ours; a distribution whose files cannot be read is left out with a warning."""
    kinds = {group: kind for kind, group in GROUPS.items()}
    found: dict[str, list[Offer]] = {}
    for distribution in distributions():
        try:
            if f"{OWN}." in (distribution.read_text("entry_points.txt") or "") and distribution.name not in found:
                found[distribution.name] = list(_offers_of(distribution, kinds))  # the first one on the path
        except Exception as error:  # of whatever a stranger has installed
            warn(f"{_named(distribution)}: its entry points cannot be read ({reason(error)}); install it anew")
    return tuple(sorted(chain.from_iterable(found.values()), key=lambda offer: (offer.kind, offer.name, offer.package)))


def _offers_of(distribution: Distribution, kinds: dict[str, str]) -> Iterator[Offer]:
    """Those of one distribution."""
    for point in distribution.entry_points:
        if point.group in kinds:
            yield Offer(kinds[point.group], point.name, point.value, distribution.name, distribution.version)


def _named(distribution: Distribution) -> str:
    """A distribution that may be broken."""
    try:
        return f"{distribution.name} {distribution.version}"
    except Exception:
        return "a package"
