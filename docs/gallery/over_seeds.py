"""Models with several training seeds: effects, their intervals and what these say of a claim, from numbers per seed.

A number is a line of NAME.jsonl: `value` of one model (`arm`, `seed`) and what it is of (`corpus`, `measure`, `of`).
A page's head declares claims before the numbers are seen:

    claims:
      loss_helps:
        holds: "> 0"            # the interval that the claim asks for: > or < a bound
        lines:
          - {effect: loss, corpus: generated, measure: KS, of: head on the weighted sum}

`effect` is one of the two-by-two design (`questions/factorial/effects.py`: loss, rate, interaction, ...), or
"ARM - ARM", or an ARM by itself, paired by seed, or by what a claim says with `over`, such as speakers; `measure` may
be a difference "MEASURE - MEASURE". All else picks numbers by their fields. Fewer than three seeds decide nothing.
Scores of which the lower is better are turned around, so that + is always better.

The intervals of a claim's lines hold together: with k lines each is a 1 - .05 / k interval (Bonferroni). A line holds
where its interval lies within what the claim asks for, does not where it lies outside, and is not decided else. A claim
holds where all its lines do, does not where one does not, and is not decided else.

A table in the head is a mapping of fields to the values that are shown: of every combination that numbers have.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.inference.verdicts import NOT_DECIDED, WORDS, of_all, verdict
from s3prl_plugin.questions.factorial import effects
from s3prl_plugin.questions.factorial.effects import Effect
from s3prl_plugin.report.sections import Cell, Column, Table, span

ALPHA = 0.05
MOST_SEEDS = 100
DECIMALS = 3
NAMED = {**effects.WEIGHTS, **effects.SIMPLE}


@dataclass(frozen=True)
class Line:
    """One effect that a claim is about.

    Attributes:
        said: the line as the head has it.
        effect: with its interval.
        bound: what the claim compares it with.
        above: whether it claims more than that, or less.
    """

    said: Mapping[str, Any]
    effect: Effect
    bound: float
    above: bool

    @property
    def verdict(self) -> str:
        """What the interval says."""
        if self.above:
            return verdict(self.effect.low, self.effect.high, self.bound)
        return verdict(-self.effect.high, -self.effect.low, -self.bound)

    @property
    def seeds_needed(self) -> str:
        """About how many seeds would decide it, if effect and spread stay as they are."""
        if len(self.effect.seeds) < effects.MIN_SEEDS:
            return f"{effects.MIN_SEEDS} seeds or more"
        half, away = (self.effect.high - self.effect.low) / 2, abs(self.effect.value - self.bound)
        count = math.ceil(len(self.effect.seeds) * (half / away) ** 2) if away else MOST_SEEDS + 1
        return f"about {count} seeds" if count <= MOST_SEEDS else f"more than {MOST_SEEDS} seeds"


@dataclass(frozen=True)
class OverSeeds:
    """The numbers of a page.

    Attributes:
        page: its name.
        numbers: the records.
        claims: of the page's head.
    """

    page: str
    numbers: Sequence[Mapping[str, Any]]
    claims: Mapping[str, Any]

    def lines(self, claim: str) -> list[Line]:
        """A claim's effects.

        Raises:
            UserError: there is no such claim, or an effect cannot be had.
        """
        if claim not in self.claims:
            raise UserError(f"{self.page}: no claim {claim}; there are {', '.join(self.claims)}")
        said = self.claims[claim]
        sign, bound = said["holds"].split()
        level = 1 - ALPHA / len(said["lines"])
        return [Line(line, self.effect(line, level), float(bound), sign == ">") for line in said["lines"]]

    def verdict(self, claim: str) -> str:
        """What the intervals say of a claim."""
        found = [line.verdict for line in self.lines(claim)]
        counts = ", ".join(f"{found.count(word)} {word}" for word in WORDS if word in found)
        several = f" (of {len(found)} lines: {counts})" if len(set(found)) > 1 else ""
        return f"**{of_all(found)}**{several}"

    def table(self, claim: str) -> Table:
        """A line per effect, and what would decide those that are not."""
        said = self.claims[claim]["lines"]
        fields = [key for key in said[0] if len({str(line.get(key)) for line in said}) > 1] or ["measure"]
        rows = []
        for line in self.lines(claim):
            effect, needed = line.effect, line.seeds_needed.replace("seeds", self.claims[claim].get("over", "seeds"))
            decides = f" ({needed} would decide)" if line.verdict == NOT_DECIDED else ""
            shown = [str(line.said.get(field, "")) for field in fields]
            ends = Cell(low=effect.low, high=effect.high, text=span(effect.low, effect.high))
            rows.append((*shown, effect.value, ends, line.verdict + decides))
        heads = ["" if field == "effect" else field for field in fields]
        last = ("interval", self.claims[claim]["holds"])
        return Table(columns=(*heads, Column("effect", "signed", decimals=DECIMALS), *last), rows=tuple(rows))

    def effect(self, line: Mapping[str, Any], level: float = 1 - ALPHA) -> Effect:
        """An effect with its interval.

        Raises:
            UserError: no number has these fields, or seeds are too few.
        """
        values, cells = self.of(line)
        name = line["effect"]
        try:
            if name in NAMED:
                return effects.effect(
                    {cells[arm]: of for arm, of in values.items() if arm in cells}, NAMED[name], level
                )
            one, *others = (values.get(arm, {}) for arm in name.split(" - "))
            common = sorted(set(one).intersection(*others))
            each = [one[seed] - sum(other[seed] for other in others) for seed in common]
            if 0 < len(common) < effects.MIN_SEEDS:
                return Effect(math.fsum(each) / len(each), -math.inf, math.inf, math.nan, tuple(common))
            return effects.over_seeds(each, common, level)
        except Refused as refused:
            raise UserError(f"{self.page}: {name} of {_said(line)}: {refused.reason}") from None

    def of(
        self, fields: Mapping[str, Any], turned: bool = True
    ) -> tuple[dict[str, dict[int, float]], dict[str, effects.Cell]]:
        """The numbers that have these fields, and which arm is which cell of the design.

        Args:
            fields: name -> value; `measure` may be a difference.
            turned: whether scores of which the lower is better change their sign.

        Returns:
            (arm -> seed -> number; arm -> cell).

        Raises:
            UserError: there is none.
        """
        one, _, other = str(fields["measure"]).partition(" - ")
        values, cells = self._of({**fields, "measure": one}, turned)
        if other:
            less, _ = self._of({**fields, "measure": other}, turned)
            values = {
                arm: {seed: value - less[arm][seed] for seed, value in of.items() if seed in less.get(arm, {})}
                for arm, of in values.items()
            }
        return values, cells

    def _of(
        self, fields: Mapping[str, Any], turned: bool
    ) -> tuple[dict[str, dict[int, float]], dict[str, effects.Cell]]:
        values: dict[str, dict[int, float]] = {}
        cells: dict[str, effects.Cell] = {}
        for number in self.numbers:
            if all(number.get(key) == value for key, value in fields.items() if key != "effect"):
                sign = -1 if turned and not number.get("higher_is_better", True) else 1
                values.setdefault(number["arm"], {})[number["seed"]] = sign * number["value"]
                if number.get("cell"):
                    cells[number["arm"]] = (number["cell"][0], number["cell"][1])
        if not values:
            raise UserError(f"{self.page}: no numbers of {_said(fields)}")
        return values, cells

    def means(self, fields: Mapping[str, Sequence[str]]) -> Table:
        """Means over seeds ± their standard deviation, of every combination of fields and arm: whichever there are more
        of have a line each."""
        found = [(said, self.of(said, turned=False)[0]) for said in self._combinations(fields)]
        arms = list(dict.fromkeys(arm for _, values in found for arm in values))
        cells = [[_mean(list(values.get(arm, {}).values())) for arm in arms] for _, values in found]
        varying = _varying(fields)
        if len(arms) > len(found):
            kinds = [", ".join(said[name] for name in varying) or fields["measure"][0] for said, _ in found]
            columns = tuple(Column(kind, "number", decimals=DECIMALS) for kind in kinds)
            rows = ((f"`{arm}`", *of_arm) for arm, *of_arm in zip(arms, *cells, strict=True))
            return Table(columns=("", *columns), rows=tuple(rows))
        columns = tuple(Column(f"`{arm}`", "number", decimals=DECIMALS) for arm in arms)
        lines = ((*(said[name] for name in varying), *of) for (said, _), of in zip(found, cells, strict=True))
        return Table(columns=(*varying, *columns), rows=tuple(lines))

    def effects(self, fields: Mapping[str, Sequence[str]]) -> Table:
        """A line per combination of fields: main effects and interaction ± half of a 95 % interval; bold where it
        excludes 0."""
        columns = tuple(Column(name, "number", decimals=DECIMALS) for name in effects.WEIGHTS)
        rows = []
        for said in self._combinations(fields):
            found = [self.effect({**said, "effect": name}) for name in effects.WEIGHTS]
            cells = [
                Cell(each.value, low=each.low, high=each.high, star=each.low > 0 or each.high < 0) for each in found
            ]
            rows.append((*(said[name] for name in _varying(fields)), *cells))
        return Table(columns=(*_varying(fields), *columns), rows=tuple(rows))

    def _combinations(self, fields: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
        """Every combination of the fields' values that numbers have."""
        there = {tuple(number.get(name) for name in fields) for number in self.numbers}
        return [dict(zip(fields, each, strict=True)) for each in itertools.product(*fields.values()) if each in there]

    def records(self) -> list[dict[str, Any]]:
        """What the picture shows: every line of every claim."""
        return [
            {"claim": f"{self.claims[claim].get('title', claim)} ({self.claims[claim]['holds']})",
             "line": _shown(line.said, self.claims[claim]["lines"]), "value": line.effect.value,
             "low": line.effect.low, "high": line.effect.high, "bound": line.bound, "verdict": line.verdict}
            for claim in self.claims
            for line in self.lines(claim)
        ]  # fmt: skip


def figure(numbers: OverSeeds) -> Any:
    """A panel per claim: its effects, their intervals and the bound."""
    import altair as alt

    data = numbers.records()
    colour = alt.Color("verdict:N", title=None, legend=alt.Legend(orient="top"),
                       scale=alt.Scale(domain=list(WORDS), range=["#1b7837", "#b2182b", "#777777"]))  # fmt: skip
    panels = []
    for claim in dict.fromkeys(each["claim"] for each in data):
        base = alt.Chart(alt.InlineData(values=[each for each in data if each["claim"] == claim]))
        y = alt.Y("line:N", sort=None, title=None, axis=alt.Axis(labelLimit=360))
        zero = base.mark_rule(strokeDash=[3, 3], color="#444444").encode(x="bound:Q")
        bars = base.mark_rule(strokeWidth=2).encode(
            x=alt.X("low:Q", title=None, scale=alt.Scale(zero=False, padding=10)), x2="high:Q", y=y, color=colour
        )
        points = base.mark_point(filled=True, size=60, opacity=1).encode(x="value:Q", y=y, color=colour)
        title = alt.TitleParams(claim, anchor="start", fontSize=12)
        panels.append(alt.layer(zero, bars, points).properties(title=title, width=380))
    return alt.vconcat(*panels)


def _shown(line: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> str:
    """What the picture calls a line of a claim: the fields in which lines differ, else what is measured."""
    differ = [
        name for name in ("effect", "measure", "corpus", "of") if len({str(each.get(name)) for each in lines}) > 1
    ]
    return ", ".join(str(line[name]) for name in differ or ("measure", "corpus") if name in line)


def _varying(fields: Mapping[str, Sequence[str]]) -> list[str]:
    """The fields that tell lines apart."""
    return [name for name, values in fields.items() if len(values) > 1]


def _mean(values: Sequence[float]) -> Cell:
    """The mean, between ends one standard deviation away."""
    if not values:
        return Cell(text="")
    mean, spread = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None
    return Cell(mean) if spread is None else Cell(mean, low=mean - spread, high=mean + spread)


def _said(fields: Mapping[str, Any]) -> str:
    return ", ".join(str(value) for key, value in fields.items() if key != "effect" and value != "")
