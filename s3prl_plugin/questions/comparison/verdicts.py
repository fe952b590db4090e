"""The rules by which a section says what it has found. They are fixed here, before any result is seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from s3prl_plugin.inference.differences import SIGNIFICANT
from s3prl_plugin.report.sections import Contrast

NO_EFFECT = 0.02
NOT_DECIDED = "Not decided"


def excludes_zero(contrast: Contrast) -> bool:
    """Whether the interval lies on one side of 0."""
    if contrast.ci_low is None or contrast.ci_high is None:
        return False
    return contrast.ci_low > 0 or contrast.ci_high < 0


def shows_no_effect(contrast: Contrast) -> bool:
    """Whether the whole interval is too close to 0 to matter."""
    if contrast.ci_low is None or contrast.ci_high is None:
        return False
    return contrast.ci_low >= -NO_EFFECT and contrast.ci_high <= NO_EFFECT


def lower_carries_more(decimated: Contrast, within: Contrast, against_phones: Contrast) -> str:
    """Whether the lower rate carries more of words.

    "Lower carries more" only if the contrast on one grid excludes 0, upwards, and the within-model contrast and words
    against phones agree (point the same way); "no effect" only if its interval lies within ±.02; else "not decided".

    Args:
        decimated: words, the lower rate less the higher one brought down to its grid.
        within: what the low-rate layers add, less what the same layers add at the higher rate.
        against_phones: the first for words less the same for phones.

    Returns:
        The verdict and the reason, in one sentence.
    """
    reason = _cannot(decimated, within, against_phones)
    if reason:
        return f"{NOT_DECIDED}: {reason}."
    low = decimated.ci_low or 0.0
    names = ("the within-model contrast", "words against phones")
    others = list(zip(names, (within, against_phones), strict=True))
    disagree = [name for name, other in others if (other.value or 0.0) <= 0]
    if low > 0 and not disagree:
        weak = [name for name, other in others if not excludes_zero(other)]
        same = f"{' and '.join(weak)} point{'s' * (len(weak) == 1)} the same way, with 0 in the interval"
        notes = [same] if weak else []
        notes += [f"all of it within ±{NO_EFFECT:g}"] if shows_no_effect(decimated) else []
        more = f" ({'; '.join(notes)})" if notes else ""
        return f"Lower carries more: words on one grid differ by {_number(decimated)}{more}."
    if shows_no_effect(decimated):
        return f"No effect: words on one grid differ by {_number(decimated)}, within ±{NO_EFFECT:g}."
    if low > 0:
        return f"{NOT_DECIDED}: words on one grid differ by {_number(decimated)}, but {_do_not(disagree)} agree."
    if excludes_zero(decimated):
        return f"{NOT_DECIDED}: words on one grid differ by {_number(decimated)}, in favour of the higher rate."
    return (
        f"{NOT_DECIDED}: words on one grid differ by {_number(decimated)}, an interval that includes 0 and reaches "
        f"beyond ±{NO_EFFECT:g}."
    )


def effect(what: str, contrasts: Iterable[Contrast], units: Sequence[str]) -> str:
    """Whether a change has an effect, over the contrasts of a declared family.

    An effect where a contrast differs after Holm's correction; "no effect" only if every interval lies within ±.02;
    else "not decided".

    Args:
        what: has the effect: "the auxiliary loss".
        contrasts: of a section; those that are refused, grey or exploratory do not count.
        units: the measures whose scale the ±.02 is of; others, such as tasks, can show an effect, but not its absence.
    """
    family = [each for each in contrasts if each.family is not None and each.value is not None and not each.grey]
    if not family:
        return f"{NOT_DECIDED}: no declared contrast could be had."
    differ = [each for each in family if each.p_holm is not None and each.p_holm < SIGNIFICANT]
    if differ:
        up = sum(_better(each) for each in differ)
        down = len(differ) - up
        towards = f"{up} with the better score, {down} with the worse"
        if not (up and down):
            towards = "with the better score" if up else "with the worse score"
        counts = f"{len(differ)} of {len(family)} declared contrasts"
        return f"{what[0].upper()}{what[1:]} makes a difference in {counts} (Holm), {towards}."
    measured = [each for each in family if each.measure in units]
    if measured and all(shows_no_effect(each) for each in measured) and len(measured) == len(family):
        return f"No effect of {what}: every one of {len(family)} intervals lies within ±{NO_EFFECT:g}."
    return (
        f"{NOT_DECIDED}: none of {len(family)} declared contrasts differs after Holm's correction, and not all of "
        f"their intervals lie within ±{NO_EFFECT:g}."
    )


def _cannot(*contrasts: Contrast) -> str | None:
    """Why the three cannot decide, if so."""
    for each in contrasts:
        if each.refused:
            return f"{each.label} could not be had ({each.refused})"
    grey = next((each for each in contrasts if each.grey), None)
    return f"{grey.label} is not sound ({grey.grey})" if grey else None


def _better(contrast: Contrast) -> bool:
    """Whether the first side is the better one."""
    return ((contrast.value or 0.0) > 0) == contrast.higher_is_better


def _do_not(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'does' if len(names) == 1 else 'do'} not"


def _number(contrast: Contrast) -> str:
    return f"{contrast.value:+.3f} [{contrast.ci_low:+.3f}, {contrast.ci_high:+.3f}]"
