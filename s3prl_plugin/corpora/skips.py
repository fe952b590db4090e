"""What had to be left out, and why: counted skips, shown at the end of a run."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterable, Mapping


class Skips(UserDict[str, set[str]]):
    """Reason -> names of the utterances that were left out for it.

    A reader fills one while it reads, a run fills one while it loads audio (`except BadAudio as bad:
    skips.add(bad.reason, utterance.name)`); `Corpus.without` takes it.
    """

    def __init__(self, counted: Mapping[str, Iterable[str]] | None = None):
        super().__init__()
        self.merge(counted or {})

    def add(self, reason: str, name: str) -> None:
        """Leave out one utterance for a reason; naming it twice counts once."""
        self.data.setdefault(reason, set()).add(name)

    def merge(self, other: Mapping[str, Iterable[str]]) -> None:
        """Take over what another one counted."""
        for reason, names in other.items():
            self.data.setdefault(reason, set()).update(names)

    def as_dict(self) -> dict[str, list[str]]:
        """Sorted, as it is shown and saved."""
        return {reason: sorted(names) for reason, names in sorted(self.data.items())}

    @property
    def total(self) -> int:
        """How many utterances were left out."""
        return len(set().union(*self.data.values()))


def lines(skipped: Mapping[str, Iterable[str]], show: int = 3) -> list[str]:
    """One line per reason, the most frequent first, for the end of a run.

    Args:
        skipped: reason -> names, as in `Corpus.skipped`.
        show: how many names to give as examples.
    """
    result = []
    for reason, names in sorted(skipped.items(), key=lambda item: (-len(set(item[1])), item[0])):
        ordered = sorted(set(names))
        some = ", ".join(ordered[:show]) + (", ..." if len(ordered) > show else "")
        result.append(f"skipped {len(ordered)}: {reason} ({some})")
    return result
