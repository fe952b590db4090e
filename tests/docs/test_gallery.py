"""Every page of the gallery is what its rows make of it, and its rows hold what it claims."""

import dataclasses
import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from PIL import Image

import s3prl_plugin
from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import Row

s3prl_plugin.register()
FOLDER = Path(__file__).parents[2] / "docs" / "gallery"
sys.path.insert(0, str(FOLDER))
build, kept, pages = (importlib.import_module(name) for name in ("build", "kept", "pages"))
Page = pages.Page
PAGES = kept.names()
OF_ROWS = [name for name in PAGES if Page.named(name).head.get("holds")]
OVER_SEEDS = [name for name in PAGES if Page.named(name).numbers]


@pytest.fixture(scope="module", params=PAGES)
def page(request):
    return Page.named(request.param)


def test_there_are_pages():
    assert "whisper_tiny_en" in PAGES


def test_the_page_is_what_its_rows_make_of_it(page):
    assert (FOLDER / f"{page.name}.md").read_text() == page.text()


def test_the_picture_is_what_its_rows_make_of_it(page, tmp_path):
    page.draw(tmp_path / "drawn.png")
    files = tmp_path / "drawn.png", FOLDER / f"{page.name}.png"
    assert max(file.stat().st_size for file in files) < 250_000
    drawn, there = (np.asarray(Image.open(file).convert("RGB")) / 255 for file in files)
    assert np.abs(np.subtract(drawn.shape, there.shape)).max() < 40  # fonts differ a little from machine to machine
    height, width = (min(sizes) for sizes in list(zip(drawn.shape, there.shape, strict=True))[:2])
    assert np.abs(drawn[:height, :width] - there[:height, :width]).mean() < 0.05


def test_rows_are_small_and_name_no_place_on_a_machine(page):
    rows = FOLDER / f"{page.name}.jsonl"
    assert rows.stat().st_size < 300_000
    for path in (rows, FOLDER / f"{page.name}.md", FOLDER / f"{page.name}.yaml"):
        assert not re.search(r"(?<![\w.])/(home|root|tmp|work|data|mnt|Users)/", path.read_text()), path


@pytest.mark.parametrize("name", OF_ROWS)
def test_numbers_on_the_page_are_those_of_the_file(name):
    """Read without this package: bold cells are the best of their line."""
    page = Page.named(name)
    lines = [json.loads(line) for line in (FOLDER / f"{page.name}.jsonl").read_text().splitlines()]
    rows = [line for line in lines if "measure" in line]
    values = {(row["run"], row["measure"], row.get("tap")): row.get("value") for row in rows}
    lower = {row["measure"]: row.get("higher_is_better") is False for row in rows}
    text = page.text()
    heads, checked = None, 0
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")] if line.startswith("|") else []
        if line.startswith("|") and "`" in line and "," not in cells[0]:
            heads = re.findall(r"`([^`]+)`", line)
        elif cells and "," in cells[0] and heads:
            measure, run = cells[0].split(", ")
            numbers = [values[run, measure, tap] for tap in heads]
            best = min if lower[measure] else max
            for cell, number in zip(cells[1:], numbers, strict=True):
                shown = re.match(r"\**(\d\.\d+) ±", cell)
                assert float(shown[1]) == pytest.approx(number, abs=5.1e-4)
                assert number == best(numbers) or not cell.startswith("**")
                checked += 1
            assert sum(cell.startswith("**") for cell in cells[1:]) == 1
    assert checked > 10


@pytest.mark.parametrize("name", OVER_SEEDS)
def test_verdicts_over_seeds_follow_from_the_file(name):
    """Read without this package: a line whose effect is far from its bound, measured in its seeds' own spread, has the
    word that goes with it, and every number is that of the file."""
    page = Page.named(name)
    lines = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
    weights = {
        "loss": (1, -1, 1, -1),
        "rate": (1, 1, -1, -1),
        "the loss alone less the lower rate alone": (0, -2, 2, 0),
    }
    cells = ([True, True], [True, False], [False, True], [False, False])
    for claim, said in page.head["claims"].items():
        for line, shown in zip(said["lines"], page.seeds.table(claim).cells, strict=True):
            if line["effect"] not in weights:
                continue
            each = {}
            for sign, measure in zip((1, -1), line["measure"].split(" - "), strict=False):
                for number in lines:
                    fields = {**line, "measure": measure, "effect": None}
                    if all(number.get(key) == value for key, value in fields.items()):
                        weight = weights[line["effect"]][cells.index(number["cell"])] / 2 if number["cell"] else 0
                        better = 1 if number["higher_is_better"] else -1
                        each[number["seed"]] = each.get(number["seed"], 0) + sign * better * weight * number["value"]
            assert shown[-3].value == pytest.approx(np.mean(list(each.values())))
            low, high = shown[-2].low, shown[-2].high
            sign, bound = said["holds"].split()
            within = low > float(bound) if sign == ">" else high < float(bound)
            outside = high < float(bound) if sign == ">" else low > float(bound)
            word = "holds at this scale" if within else "does not" if outside else "not decided"
            assert shown[-1].value.startswith(word)


@pytest.mark.parametrize("name", [name for name in PAGES if Page.named(name).head.get("claims")])
def test_differences_of_two_arms_follow_from_the_file(name):
    """Read without this package: t intervals of differences, seed by seed or jackknifed over speakers."""
    page = Page.named(name)
    lines = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
    units = page.head.get("units") or {}

    def numbers(arm, line):
        said = {**line, "arm": arm}
        del said["effect"]
        of = [n for n in lines if all(n.get(key) == value for key, value in said.items())]
        return {n["seed"]: n["value"] if n.get("higher_is_better", True) else -n["value"] for n in of}

    def row(arm, measure):
        run, tap, kind = units[arm].split(maxsplit=2)
        names = ("run", "tap", "units", "measure")
        (found,) = [n for n in lines if tuple(n.get(key) for key in names) == (run, tap, kind, measure)]
        return found["value"], np.array(found["replicates"])

    for claim, said in page.head["claims"].items():
        for line, shown in zip(said["lines"], page.seeds.table(claim).cells, strict=True):
            arms = line["effect"].split(" - ")
            if len(arms) < 2 or " - " in line["measure"]:
                continue
            if line.get("of") == "speakers":
                (one, without_one), (other, without_other) = (row(arm, line["measure"]) for arm in arms)
                moved, value = without_one - without_other, one - other
                error = np.sqrt((len(moved) - 1) / len(moved) * np.square(moved - moved.mean()).sum())
            else:
                one, other = (numbers(arm, line) for arm in arms)
                moved = np.array([one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())])
                value, error = moved.mean(), moved.std(ddof=1) / np.sqrt(len(moved))
            half = scipy.stats.t(len(moved) - 1).ppf(1 - 0.05 / len(said["lines"]) / 2) * error
            half = half if len(moved) > 2 else np.inf  # two seeds decide nothing
            assert shown[-3].value == pytest.approx(value)
            low, high = shown[-2].low, shown[-2].high
            assert (low, high) == pytest.approx((value - half, value + half))
            sign, bound = said["holds"].split()
            below, above = high < float(bound), low > float(bound)
            within, outside = (above, below) if sign == ">" else (below, above)
            word = "holds at this scale" if within else "does not" if outside else "not decided"
            assert shown[-1].value.startswith(word)


def test_units_are_shown_with_their_bits_and_compared_over_speakers():
    """Planted rows of `-d rate`: the interval of a difference is the jackknife's, computed here from its definition."""
    rng = np.random.default_rng(0)
    values = {"one": 0.5, "other": 0.3}
    left_out = {name: value + 0.01 * rng.standard_normal(6) for name, value in values.items()}
    runs = {
        name: [
            Row(upstream=name, measure="rate_phone", score="adjusted", headline=True, tap="x", units=units, stride=1280,
                value=value, ci_low=value - 0.1, ci_high=value + 0.1, replicates=list(left_out[name]), folds_id="a",
                details={"entropy_bits_per_s": 82.4})
            for units in ("codes", "k-means 128")
        ]
        for name, value in values.items()
    }  # fmt: skip
    head = {
        "units": {"ours": "one x codes", "theirs": "other x k-means 128"},
        "claims": {"more": {"holds": "> 0", "over": "speakers", "lines": [
            {"effect": "ours - theirs", "of": "speakers", "measure": "rate_phone"}]}},
    }  # fmt: skip
    page = dataclasses.replace(Page.named("whisper_tiny_en"), runs=runs, head=head, numbers=())
    shown = pages.table(page._rates(["rate_phone"]), markdown=True).splitlines()[-2:]
    assert shown == ["| ours | 80 | 82 | 0.500 ±0.100 |", "| theirs | 80 | 82 | 0.300 ±0.100 |"]
    moved = left_out["one"] - left_out["other"]
    half = scipy.stats.t(5).ppf(0.975) * np.sqrt(5 / 6 * np.square(moved - moved.mean()).sum())
    (line,) = page.seeds.lines("more")
    assert line.effect.value == pytest.approx(0.2)
    assert (line.effect.low, line.effect.high) == pytest.approx((0.2 - half, 0.2 + half))
    head["units"]["theirs"] = "other x k-means 50"
    with pytest.raises(UserError, match="other has no k-means 50 of x"):
        page._rates(["rate_phone"])


@pytest.fixture
def own_pages(tmp_path, monkeypatch):
    """A folder of pages, in which one is written."""

    def write(head):
        (tmp_path / "own.template").write_text(f"---\n{head}\n---\n# Text\n")
        return lambda: [json.loads(line) for line in (tmp_path / "own.jsonl").read_text().splitlines()]

    monkeypatch.setattr(kept, "FOLDER", tmp_path)
    return write


def test_another_machine_adds_a_seed(own_pages, tmp_path):
    """What is of all seeds together is of all that are there then."""
    lines = own_pages("{study: study, trainings: {layers: made, other: spoken}}")
    values = {1: (0.9, 0.2, 0.5), 2: (0.1, 0.6, 0.4), 3: (0.3, 0.8, 0.7)}

    def grown(study, seed, own, corpus="layers"):
        common = {"upstream": "u", "measure": "cca_word", "score": "r2", "headline": True, "train_step": 9}
        rows = [
            Row(**common, tap=tap, tap_index=i, block="mid", stride=320, value=value)
            for i, (tap, value) in enumerate(zip(("mid.layer0", "mid.layer1", "mid.out"), own, strict=True))
        ]
        results.write(tmp_path / study / corpus / f"grown_a_seed{seed}_checkpoint_9", rows)

    for seed in (1, 3):
        grown("all", seed, values[seed])
        grown("here", seed, values[seed])
    grown("here", 3, (0.0, 0.0, 0.0), "other")
    grown("all", 2, values[2])
    grown("all", 3, (0.0, 0.0, 0.0), "other")
    grown("there", 2, values[2])
    grown("there", 3, (0.0, 0.0, 0.0))
    grown("again", 3, values[3])

    def sorted_lines():
        return sorted(json.dumps(line) for line in lines())

    kept.take_in("own", tmp_path / "all")
    of_all = sorted_lines()
    kept.take_in("own", tmp_path / "here")
    kept.take_in("own", tmp_path / "there", add=True)
    assert sorted_lines() != of_all  # seed 3 is what it was there
    kept.take_in("own", tmp_path / "again", add=True)
    assert sorted_lines() == of_all
    kept.take_in("own", tmp_path / "there")
    assert {line["seed"] for line in lines()} == {2, 3}  # without `add` nothing else stays
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="none of what own is made of"):
        kept.take_in("own", tmp_path / "empty", add=True)


def test_a_run_is_replaced_as_a_whole(own_pages, tmp_path):
    lines = own_pages("{study: study, numbers: [others]}")

    def run(study, name, **values):
        rows = [Row(upstream="u", measure=each, score="r2", headline=True, value=value)
                for each, value in values.items()]  # fmt: skip
        results.write(tmp_path / study / name, rows)

    run("first", "one", KS=0.1, SID=0.2)
    run("first", "two", KS=0.3)
    run("second", "one", KS=0.4)
    (tmp_path / "second" / "others").mkdir()
    number = {"arm": "x", "seed": 1, "corpus": "made", "value": 0.5}
    (tmp_path / "second" / "others" / "some.jsonl").write_text(json.dumps(number) + "\n")
    kept.take_in("own", tmp_path / "first")
    kept.take_in("own", tmp_path / "second", add=True)
    of_runs = {(line["run"], line["measure"]): line["value"] for line in lines() if "run" in line}
    assert of_runs == {("one", "KS"): 0.4, ("two", "KS"): 0.3}
    assert [line for line in lines() if "arm" in line] == [number]


def test_measures_that_rank_taps_alike_and_the_other_way_round():
    """Planted: an error that falls where a score rises agrees with it, one that rises with it does not."""
    scores = {"cca_phone": (0.1, 0.2, 0.3, 0.4), "abx_phone": (0.4, 0.3, 0.2, 0.1), "mi_phone": (0.4, 0.3, 0.1, 0.2)}
    rows = [
        Row(upstream="u", measure=measure, score="s", headline=True, tap=f"layer{i}", block="layers", value=value,
            higher_is_better=measure != "abx_phone")
        for measure, values in scores.items() for i, value in enumerate(values)
    ]  # fmt: skip
    page = dataclasses.replace(Page.named("whisper_tiny_en"), runs={"one": rows})
    (found,) = page._agreement(["one"], list(scores)).rows
    # 1 - 6 sum d^2 / (n (n^2 - 1)): of ranks 1 2 3 4 and 4 3 1 2, 1 - 6 * 18 / 60
    assert found == ("one", 4, pytest.approx(1), pytest.approx(-0.8), pytest.approx(-0.8))


@pytest.mark.parametrize("name", OF_ROWS)
def test_a_page_whose_rows_do_not_hold_its_claim_is_not_built(name):
    page = Page.named(name)
    better, worse = page.head["holds"][0].split(" > ")
    turned = dataclasses.replace(page, head={**page.head, "holds": [f"{worse} > {better}"]})
    with pytest.raises(UserError, match="do not hold what the page claims"):
        turned.text()


def test_what_is_not_there_is_said_in_a_line(capsys):
    page = Page.named("whisper_tiny_en")
    assert build.main(["--add", "whisper_tiny_en"]) == 2
    assert "--add: name the study" in capsys.readouterr().err
    assert build.main(["no_such_page"]) == 2
    assert "no_such_page: no page of the gallery" in capsys.readouterr().err
    for wrong, reason in (
        ("score nobody cca_phone x", "no run nobody"),
        ("best whisper no_measure", "has no no_measure"),
    ):
        with pytest.raises(UserError, match=reason):
            dataclasses.replace(page, body=f"{{{{ {wrong} }}}}").text()
