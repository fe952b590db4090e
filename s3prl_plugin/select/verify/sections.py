"""What verifications found, as sections: of one, how good the choice was; of several, what holds of all of them.

Every verdict is read off a 95 % interval:
    a measure guides        holds where the lead of the taps that it likes best over taps drawn at random is above 0
    one layer matches all   holds where the lead of the tap that is best on dev over the weighted sum is above -MARGIN
    either                  does not where the lead is below 0 (the first), or all of its interval is (the second)
"""

from __future__ import annotations

from collections.abc import Sequence

from s3prl_plugin.inference.verdicts import NOT_DECIDED, WORDS, verdict
from s3prl_plugin.report.sections import Cell, Column, Section, Table, span
from s3prl_plugin.select.verify.outcome import Guide, against_sum, guides, ways
from s3prl_plugin.select.verify.plan import SUM
from s3prl_plugin.select.verify.scores import Gain
from s3prl_plugin.select.verify.trial import Trial
from s3prl_plugin.superb.outcomes import UNITS

MARGIN = 0.02  # of an error rate or a share of right answers: less than that is taken for a match
LISTED = 3
MOST_TIMES = 1000


def of_one(found: Trial, lead: Sequence[str] = ()) -> Section:
    """Ways to choose a tap and what each gives, the regret of the selection, and what the measures foretold.

    Args:
        found: the verification.
        lead: what is read first: whose results these are.
    """
    way = "more is better" if found.higher_is_better else "less is better"
    seeds = f"mean of {len(found.seeds)} seeds" if found.steps else "nothing was trained"
    return Section(
        name="verification",
        title="",
        lead=(*lead, f"{found.task}: {found.score} on {found.split} ({found.unit}, {way}), {seeds}", _regret(found)),
        tables=(_ways(found), _guides([found]), _taps(found)),
        notes=tuple(f"failed: {name}: {reason}" for name, reason in found.failed.items()),
    )


def of_several(trials: Sequence[Trial]) -> list[Section]:
    """What holds of several upstreams, per task: whether measures guide, and whether one layer matches all."""
    by_task: dict[str, list[Trial]] = {}
    for each in trials:
        by_task.setdefault(each.task, []).append(each)
    return [_of_task(task, own) for task, own in by_task.items()]


def _of_task(task: str, trials: Sequence[Trial]) -> Section:
    """One task on all upstreams."""
    found = guides(trials)
    match = against_sum(trials)
    first = trials[0]
    lines = [*_guided(found)]
    if match is not None:
        lines.append(f"One layer matches the sum of all: {_matches(match, margin_of(first))}.")
    kind = "more is better" if first.higher_is_better else "less is better"
    size = f"; {len(first.counts)} utterances" if first.errors else ""
    heads = f", heads of {first.steps} steps, {len(first.seeds)} seeds" if first.steps else ""
    title = "do measures guide, and does one layer match all?" if match is not None else "do measures guide?"
    return Section(
        name=f"verified-{task}",
        title=f"{task}: {title}",
        lead=(f"{first.score} on {first.split} ({first.unit}, {kind}{size}){heads}".replace("(, ", "("), *lines),
        tables=(_guides(trials, found), *([] if match is None else [_against_sum(trials, match)])),
    )


def _guided(found: Sequence[Guide]) -> list[str]:
    """Which measures guide, and which guides best."""
    by_word = {word: [each.measure for each in found if _word(each.lead) == word] for word in WORDS}
    lines = [f"A measure guides: {word} for {', '.join(names)}." for word, names in by_word.items() if names]
    others = [each.measure for each in found[1:] if each.as_good]
    if found and others:
        lines.append(
            f"Which measure guides best is {NOT_DECIDED}: {found[0].measure} has the highest rank correlation, and "
            f"{len(others)} of {len(found) - 1} others are not told apart from it ({_listed(others)})."
        )
    elif len(found) > 1:
        lines.append(f"{found[0].measure} guides best: its rank correlation is above that of every other measure.")
    return lines


def _word(gain: Gain, margin: float = 0.0) -> str:
    """What is said of the claim that a lead is more than nothing, or than `-margin`."""
    return verdict(gain.ci_low, gain.ci_high, -margin, against=0.0)


def _matches(gain: Gain, margin: float) -> str:
    """Whether one layer matches all, and what would decide it."""
    word = _word(gain, margin)
    said = f"{word} (the layer leads by {gain.value:+.3f}, {span(gain.ci_low, gain.ci_high)})"
    if word != NOT_DECIDED or gain.ci_low is None:
        return said
    room = gain.value + margin if gain.value > -margin else -gain.value
    factor = ((gain.value - gain.ci_low) / max(room, 1e-9)) ** 2
    times = f"{factor:.0f}" if factor < MOST_TIMES else f"over {MOST_TIMES}"
    return f"{said}; were that lead to stay, {times} times as much test speech would decide it"


def margin_of(found: Trial) -> float:
    """What is taken for a match, in the unit of the score."""
    return MARGIN * UNITS.get(found.unit, 1.0)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")


def _ways(found: Trial) -> Table:
    """One line per way of choosing."""
    rows = []
    for i, each in enumerate(ways(found)):
        lead = (Cell(text=""), Cell(text="")) if i == 0 else _lead(each.lead)
        rows.append((each.way, each.tap or "", _rate(each.rate), each.test, *lead))
    note = "lead: over the selected tap, above 0 where this is better"
    if found.steps:
        what = "heads and other test utterances like these" if found.errors else "heads, not of other test speech"
        note += f"; intervals speak of new {what}"
    columns = ("chosen", "tap", Column("lr", "number"), Column("score", decimals=4), *LEAD)
    return Table(columns=columns, rows=tuple(rows), note=note)


def _regret(found: Trial) -> str:
    """What the selection costs."""
    by_way = {each.way: each for each in ways(found)}
    (upper,) = [each for each in by_way.values() if each.optimistic]
    bound = f"{_number(upper.lead.value)} against the tap that is best on {found.split} (expected above it)"
    if "best on dev" not in by_way:
        return f"regret: {found.task} has no dev set on which the best tap could be chosen; {bound}"
    gain = by_way["best on dev"].lead
    interval = span(gain.ci_low, gain.ci_high, "+.4f")
    number = f"{_number(gain.value)}{interval and f' ({interval})'}"
    return f"regret: {number} against the tap that is best on dev (expected below the true regret), {bound}"


def _guides(trials: Sequence[Trial], found: Sequence[Guide] | None = None) -> Table:
    """One line per measure."""
    rows = []
    own = set(trials[0].decided_by)
    for each in guides(trials) if found is None else found:
        rho = each.rho
        regret = _lead(each.regret) if each.regret is not None else (Cell(text=""), Cell(text=""))
        rows.append(
            (
                Cell(each.measure, star=each.measure in own),
                Cell(rho.value, star=each.as_good),
                Cell(text=span(rho.ci_low, rho.ci_high, "+.2f")),
                ", ".join(each.taps),
                *_lead(each.lead),
                *regret,
                _word(each.lead),
            )
        )
    signed = Column("Spearman's rho", "signed", decimals=2)
    columns = (
        "measure", signed, Column("95 % interval", "text"), "its best tap" if len(trials) == 1 else "its best taps",
        Column("lead over a random tap", "signed", decimals=4), Column("95 % interval", "text"),
        Column("regret", "signed", decimals=4), Column("95 % interval", "text"), "it guides",
    )  # fmt: skip
    several = f", in the mean over {', '.join(each.upstream for each in trials)}" if len(trials) > 1 else ""
    return Table(
        title=f"What measures foretold of the score over taps{several}",
        columns=columns,
        rows=tuple(rows),
        star="of a measure: it decides for this task; of rho: not told apart from the highest (Bonferroni)",
        note="regret: of its best tap, against the tap that is best on "
        + ("the other folds, for every fold" if trials[0].folds else "dev"),
        notes=() if rows else ("there is no rank correlation of fewer than three taps, or where all score the same",),
    )


def _against_sum(trials: Sequence[Trial], mean: Gain) -> Table:
    """One line per upstream: the tap that is best on dev beside the weighted sum."""
    rows: list[tuple[object, ...]] = []
    margin = margin_of(trials[0])
    for each in trials:
        gain = against_sum([each])
        if gain is not None:
            best = str(each.best_on_dev)
            scores = [each.sign * each.scores(name).value for name in (best, SUM)]
            rows.append((each.upstream, best, *scores, *_lead(gain), _word(gain, margin)))
    if len(trials) > 1:
        rows.append(("mean", "", Cell(text=""), Cell(text=""), *_lead(mean), _word(mean, margin)))
    columns = (
        "upstream", "best on dev", Column("score", decimals=4), Column(SUM, decimals=4), *LEAD, "one layer matches all",
    )  # fmt: skip
    return Table(
        title="The layer that is best on dev, and the weighted sum of all",
        columns=columns,
        rows=tuple(rows),
        note=f"lead: of the layer, above 0 where it is better; a match is a lead above {-margin:g}",
    )


def _taps(found: Trial) -> Table:
    """One line per tap."""
    rows = [
        (tap, _rate(found.rates[tap]), found.dev.get(tap), found.sign * found.scores(tap).value) for tap in found.taps
    ]
    notes = []
    if len(found.tried) > 1:
        ends = (min(found.tried), max(found.tried))
        count = sum(found.rates[tap] in ends for tap in found.taps)
        tried = ", ".join(f"{rate:g}" for rate in sorted(found.tried))
        notes = [
            f"{count} of {len(found.taps)} taps did best at an end of the rates tried ({tried}); --lr tries others"
        ]
    columns = ("tap", Column("lr", "number"), Column("dev", decimals=4), Column("score", decimals=4))
    return Table(columns=columns, rows=tuple(rows), notes=tuple(notes))


LEAD = (Column("lead", "signed", decimals=4), Column("95 % interval", "text"))


def _lead(gain: Gain) -> tuple[Cell, Cell]:
    return Cell(gain.value), Cell(text=span(gain.ci_low, gain.ci_high, "+.4f"))


def _rate(rate: float | None) -> Cell:
    return Cell(text="") if rate is None else Cell(rate, text=f"{rate:g}")


def _number(value: float) -> str:
    """A lead; one that rounding makes nothing has no sign of its own."""
    return f"{round(value, 4) + 0.0:+.4f}"
