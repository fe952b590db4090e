"""Numbers of trainings at several updates, each kind with several seeds, and their picture; for `over_seeds.py`.

A study's folders are named by its patterns of checkpoints: `ENTRY_ARM_seedN_checkpoint_UPDATE` of an analysis,
`ENTRY_ARM_seedN` or `ENTRY_ARM_seedN_VARIATION` of a task, where `ARM VARIATION` is an arm of its own, and the number
is `of` the variation, or `whole`. A number of an analysis has, besides `arm`, `seed`, `corpus`, `measure` and `value`,
`of` (a state tap, `top`, `top less middle`, or `top less best`), `update`, and `at`: that update, or `end` at the last
one that there is of its arm. Taps are kept of the end only. The best tap of a seed is the one that is best in the mean
of the other seeds: of a seed's own numbers, no top could be above the best.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from s3prl_plugin.inference import current, folders, state_taps
from s3prl_plugin.questions.factorial import effects
from s3prl_plugin.questions.trajectories.numbers import PEAKING, RETURNING, middle
from s3prl_plugin.report.drawing import palette
from s3prl_plugin.results import Row

END = "end"
LESS_BEST = "top less best"
WIDTH, HEIGHT, COLUMNS = 118, 90, 3
_NAME = re.compile(r"[^_]+_(?P<arm>\w+?)_seed(?P<seed>\d+)(?:_checkpoint_\d+)?(?:_(?P<variation>\w+))?")


def records(study: Path, corpus: str) -> list[dict[str, Any]]:
    """The numbers of a study's folders, without those of `with_best`.

    Args:
        study: its folder.
        corpus: what it is called on the page.
    """
    found: list[dict[str, Any]] = []
    for folder in sorted(folders.folders(study)):
        named = _NAME.fullmatch(folder.relative_to(study).parts[0])
        if named is not None:
            arm = " ".join(part for part in (named["arm"], named["variation"]) if part)
            of_all = {"arm": arm, "seed": int(named["seed"]), "corpus": corpus}
            rows = [row for row in current.read(folder).rows if row.headline and row.value is not None]
            found += [{**of_all, **number} for number in _numbers(rows, named["variation"] or "whole")]
    last: dict[str, int] = {}
    for number in found:
        last[number["arm"]] = max(last.get(number["arm"], 0), number.get("update", 0))
    for number in found:
        if "update" in number:
            number["at"] = END if number["update"] == last[number["arm"]] else number["update"]
    return [each for each in found if each.get("at", END) == END or each["of"].startswith("top")]


def with_best(numbers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Numbers with those of `top less best`, which are of all seeds together, anew."""
    own = [dict(each) for each in numbers if each["of"] != LESS_BEST]
    return own + list(_less_best(own))


def _less_best(numbers: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The top of every seed less the tap that is best in the mean of the other seeds, after the last update."""
    by_arm: dict[tuple[str, str, str], dict[str, dict[int, Mapping[str, Any]]]] = {}
    for each in numbers:
        if each["measure"] in PEAKING and each.get("at") == END and each["of"] != "top less middle":
            kind = (each["arm"], each["corpus"], each["measure"])
            by_arm.setdefault(kind, {}).setdefault(each["of"], {})[each["seed"]] = each
    for of in by_arm.values():
        tops = of.pop("top")
        for seed, top in tops.items():
            others = {
                tap: [n["value"] for other, n in seeds.items() if other != seed]
                for tap, seeds in of.items()
                if seeds.keys() == tops.keys()
            }
            if len(tops) > 1:
                best = max(others, key=lambda tap: sum(others[tap]))
                yield {**top, "of": LESS_BEST, "value": _rounded(top["value"] - of[best][seed]["value"])}


def _numbers(rows: Sequence[Row], of: str) -> Iterator[dict[str, Any]]:
    """The numbers of one folder; of a task, what it is of."""
    for measure in dict.fromkeys(row.measure for row in rows):
        own = [row for row in rows if row.measure == measure]
        said: dict[str, Any] = {"measure": measure}
        if not own[0].higher_is_better:
            said["higher_is_better"] = False
        if own[0].tap is None:
            yield {**said, "of": of, "value": _rounded(own[0].value)}
            continue
        said["update"] = own[0].train_step
        taps = state_taps.states(own)
        yield from ({**said, "of": row.tap, "value": _rounded(row.value)} for row in taps)
        yield {**said, "of": "top", "value": _rounded(taps[-1].value)}
        if measure in RETURNING:
            less = (taps[-1].value or 0.0) - (middle(taps).value or 0.0)
            yield {**said, "of": "top less middle", "value": _rounded(less)}


def _rounded(value: float | None) -> float:
    return float(f"{value:.6g}")


def figure(numbers: Sequence[Mapping[str, Any]], panels: Mapping[str, Mapping[str, Any]]) -> Any:
    """A panel per kind of number over updates, a line per arm: means over seeds, bars their 95 % intervals.

    Args:
        numbers: of `records`.
        panels: title -> the fields of the numbers that it shows.
    """
    import altair as alt

    shown = {
        title: [n for n in numbers if all(n.get(key) == value for key, value in fields.items())]
        for title, fields in panels.items()
    }
    arms = list(dict.fromkeys(number["arm"] for of_panel in shown.values() for number in of_panel))
    styles = palette.model_styles(arms).values()
    colours = alt.Scale(domain=arms, range=[colour for colour, _ in styles])
    dashes = alt.Scale(domain=arms, range=[list(dash) for _, dash in styles])
    legend = alt.Legend(
        orient="bottom", columns=4, direction="horizontal", symbolType="stroke", symbolSize=600, symbolOpacity=1
    )
    look, drawn = palette.PRINT, []
    for title, of_panel in shown.items():
        values = list(_means(of_panel))
        axis = alt.Axis(values=sorted({value["update"] for value in values}), labelOverlap=False)
        base = alt.Chart(alt.InlineData(values=values)).encode(
            x=alt.X("update:Q", title="updates", scale=alt.Scale(type="log", nice=False), axis=axis),
            color=alt.Color("arm:N", title=None, scale=colours, legend=legend),
        )
        y = alt.Y("mean:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
        bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=look.bar, opacity=0.35)
        layers = [
            bars.encode(y=alt.Y("low:Q", title=None), y2="high:Q"),
            base.mark_line(strokeWidth=look.line).encode(
                y=y, strokeDash=alt.StrokeDash("arm:N", title=None, scale=dashes, legend=legend)
            ),
            base.mark_point(size=look.point, filled=True, opacity=1).encode(y=y),
        ]
        drawn.append(alt.layer(*layers).properties(title=title, width=WIDTH, height=HEIGHT))
    return alt.concat(*drawn, columns=COLUMNS)


def _means(numbers: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A point per arm and update; its interval where seeds are enough for one."""
    by_point: dict[tuple[str, int], list[float]] = {}
    for number in numbers:
        by_point.setdefault((number["arm"], number["update"]), []).append(number["value"])
    for (arm, update), values in sorted(by_point.items()):
        point: dict[str, Any] = {"arm": arm, "update": update, "mean": sum(values) / len(values)}
        if len(values) >= effects.MIN_SEEDS:
            found = effects.over_seeds(values, range(len(values)))
            point |= {"low": found.low, "high": found.high}
        yield point
