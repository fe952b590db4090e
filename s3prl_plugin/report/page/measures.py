"""Where a measure stands on the page, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

from s3prl_plugin.analysis import about


@dataclass(frozen=True, slots=True)
class Meaning:
    """A measure explained.

    Attributes:
        about: what of speech it is about.
        tasks: the tasks for which a layer is chosen by it; "" for none.
        place: where it stands on the page.
    """

    about: str
    tasks: str
    place: tuple[int, int]


def meaning(measure: str) -> Meaning:
    """What is known of a measure; of an unknown one its name alone."""
    known = about.everything().get(measure)
    if known is None:
        return Meaning(measure, "", (len(about.everything()), 0))
    return Meaning(known.about, known.tasks, known.place)


def explained(measure: str, score: str) -> str:
    """What a score is, and what it cannot say; "" for one that nothing explains."""
    known = about.score_of(measure, score)
    if known is None:
        return ""
    low, high = ("" if end is None else f"{end}" for end in known.range)
    reach = f"; {low} to {high}" if low and high else f"; {low} and more" if low else ""
    return f"{known.says}{reach}. It cannot {known.cannot}"
