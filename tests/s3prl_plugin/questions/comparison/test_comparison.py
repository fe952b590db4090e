"""Planted results of a whole study: every contrast says what was planted, and what is not available says why."""

import re
from dataclasses import replace

import planted_results as planted
import pytest

from s3prl_plugin import commands, results
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.folders import folders as folders_of
from s3prl_plugin.questions import comparison
from s3prl_plugin.report import text
from s3prl_plugin.states import upstream_facts

DECIMATED = {"pool_to": "decimate:40"}
RANDOM = {"random_weights": True}
# What the low rate, the flat network, its decimated frames and all of them with random weights carry.
LOW = {
    "cca_word": {"mid.pre": 0.50, "mid": 0.60, "": 0.40},
    "cca_phone": {"mid": 0.40, "": 0.45},
    "cca_word/centre": {"mid": 0.42, "": 0.30},
    "cca_intra": {"mid": 0.30, "dec0.layer1": 0.50, "": 0.60},
    "cca_mel": {"": 0.30},
}
LOW_ON_GRID = {**LOW, "cca_word": {**LOW["cca_word"], "enc0.layer1": 0.35}}
FLAT = {**LOW, "cca_word": {"mid.pre": 0.48, "mid": 0.50, "": 0.40}, "cca_phone": {"": 0.45},
        "cca_word/centre": {"": 0.30}, "cca_intra": {"": 0.40}}  # fmt: skip
FLAT_ON_GRID = {**FLAT, "cca_word": {"mid.pre": 0.45, "mid": 0.47, "": 0.40}, "cca_phone": {"mid": 0.41, "": 0.42}}
NOTHING = {"cca_word": {"": 0.2}, "cca_phone": {"": 0.2}, "cca_mel": {"": 0.3}}


def write(folder, names, **fields):
    """The folders of a study: a low-rate model, one without auxiliary loss, a flat one, and their variations."""
    plant = planted.Planted(folder, seed=1, own=0.002, **fields)
    low, single, flat = names
    base = {"sha": "a", "macs": 60e6, "forward": planted.forward(0.006, 0.01)}
    one = {"ratios": planted.ONE_RATE, "sha": "c", "macs": 80e6, "forward": planted.forward(0.008, 0.01, seed=1)}
    tasks = {
        low: planted.task_rows(planted.facts(**base), "SID", {1: 0.70, 2: 0.72, 3: 0.71})
        + planted.task_rows(planted.facts(**base), "PR", {1: 0.1, 2: 0.2}, score="per_71"),
        single: planted.task_rows(planted.facts(sha="b"), "SID", {2: 0.62, 1: 0.61, 3: 0.60, 4: 0.1})
        + planted.task_rows(planted.facts(sha="b"), "PR", {1: 0.1, 2: 0.2}, score="per_71"),
    }
    runs = [
        (low, base, LOW),
        (single, {"sha": "b", "heads": 1}, {**LOW, "cca_word": {"mid": 0.45, "": 0.40}}),
        (flat, one, FLAT),
        (f"{low}_d", {**base, "options": DECIMATED}, LOW_ON_GRID),
        (f"{flat}_d", {**one, "options": DECIMATED}, FLAT_ON_GRID),
        (f"{low}_r", {**base, "options": RANDOM}, NOTHING),
        (f"{flat}_rd", {**one, "options": {**DECIMATED, **RANDOM}}, {"cca_word": {"": 0.15}}),
    ]
    return [plant.run(name, planted.facts(**facts), truths, tasks.get(name, ())) for name, facts, truths in runs]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write(tmp_path_factory.mktemp("study"), ("red", "green", "blue"))


@pytest.fixture(scope="module")
def found(folders):
    return comparison.compare(folders)


def section(found, name):
    return next(each for each in found.sections if each.name == name)


def one(section, label, measure):
    (row,) = [each for each in section.contrasts if label in each.label and each.measure == measure]
    return row


def near(row, truth):
    """The planted truth lies in the interval, which is narrow."""
    return row.ci_low - 0.01 <= truth <= row.ci_high + 0.01 and row.ci_high - row.ci_low < 0.1


@pytest.mark.parametrize(
    ("label", "truth"),
    [
        ("mid.layer1, both at 40 ms (", 0.60 - 0.47),
        ("mid.layer1, each at its own rate", 0.60 - 0.50),
        ("grid: ", 0.47 - 0.50),
        ("red: mid.pre - enc0.layer1 at 40 ms", 0.50 - 0.35),
        ("red: mid.layer1 - mid.pre", 0.60 - 0.50),
        ("blue: mid.layer1 - mid.pre", 0.47 - 0.45),
        ("difference of differences", 0.10 - 0.02),
        ("at its centre, each", 0.42 - 0.30),
        ("words against phones", 0.13 - (0.40 - 0.41)),
        ("random weights", 0.2 - 0.15),
    ],
)
def test_every_row_on_words_says_what_was_planted(found, label, truth):
    row = one(section(found, "words"), label, "cca_word")
    assert near(row, truth), (row.value, row.ci_low, row.ci_high)
    assert row.family == "words"
    assert row.p_holm >= row.p


def test_the_grid_is_the_difference_of_the_two_contrasts(found):
    words = section(found, "words")
    native, one_grid = (
        one(words, "mid.layer1, each at its own rate", "cca_word"),
        one(words, "both at 40 ms (", "cca_word"),
    )
    assert one(words, "grid: ", "cca_word").value == pytest.approx(native.value - one_grid.value)


def test_the_verdict_follows_from_the_rows(found):
    assert section(found, "words").verdict.startswith("Lower carries more: words on one grid differ by +0.1")


@pytest.mark.parametrize(
    ("name", "label", "truth"),
    [
        ("loss", "best tap", 0.60 - 0.45),
        ("loss", "mean of the middle block", 0.60 - 0.45),
        ("loss", "output", 0.0),
        ("rate", "best tap", 0.60 - 0.50),
        ("rate", "mean of the middle block, both at 40 ms", 0.60 - 0.47),
        ("rate", "output", 0.0),
    ],
)
def test_loss_and_rate_say_what_was_planted(found, name, label, truth):
    rows = [r for r in section(found, name).contrasts if label in r.label and r.measure == "cca_word"]
    assert near(rows[0], truth), rows[0]
    assert rows[0].family == name
    assert section(found, name).verdict.startswith("The ")


def test_tasks_are_paired_by_the_seeds_of_their_heads(found):
    row = one(section(found, "loss"), "SID", "SID")
    assert row.value == pytest.approx((0.09 + 0.10 + 0.11) / 3)
    assert row.label.endswith("SID (3 seeds)")
    # t quantile of two degrees of freedom times the standard error of 0.09, 0.10, 0.11
    assert row.ci_high - row.value == pytest.approx(4.302652729911275 * 0.01 / 3**0.5)
    few = one(section(found, "loss"), "PR", "PR")
    assert few.refused == "2 seeds of the head in common, 3 are needed: run more"
    assert not [each for each in section(found, "rate").contrasts if each.measure == "SID"]


def test_holm_is_within_a_family(found):
    rows = [each for each in section(found, "words").contrasts if each.p is not None]
    ordered = sorted(rows, key=lambda row: row.p)
    worst = 0.0
    for i, row in enumerate(ordered):
        worst = max(worst, min(1.0, row.p * (len(rows) - i)))
        assert row.p_holm == pytest.approx(worst)


def test_random_weights_the_decoder_and_the_costs(found):
    row = one(section(found, "random"), "red - the same with random weights", "cca_word")
    assert near(row, 0.60 - 0.20)
    missing = section(found, "random").notes
    assert "Missing: blue was not run with random_weights: true." in missing
    decoder = section(found, "autoencoder")
    assert near(one(decoder, "red: dec0.layer1", "cca_intra"), 0.50 - 0.30)
    apart = one(decoder, "red: res_out1", "cca_intra")
    assert near(apart, 0.60 - 0.30)
    assert apart.family is None
    cost = section(found, "costs")
    (table,) = cost.tables
    told = {row[0].value: row[3].value for row in table.cells}
    assert (told["red"], told["blue"]) == pytest.approx((6.0, 8.0), rel=0.02), "milliseconds for one second"
    assert one(cost, "red - blue", "multiply-accumulates").value == pytest.approx(0.25)
    time = one(cost, "red - blue", "forward time")
    assert time.ci_low < 0.25 < time.ci_high
    assert time.ci_high - time.ci_low < 0.05


def test_a_decoder_seen_at_another_rate_than_the_middle_is_grey(tmp_path):
    plant = planted.Planted(tmp_path, seed=9)
    truths = {"cca_intra": {"mid": 0.3, "": 0.5}}
    there = [plant.run(f"m{i}", planted.facts(sha=str(i)), truths) for i in range(2)]
    row = one(section(comparison.compare(there), "autoencoder"), "m0: dec0.layer1", "cca_intra")
    assert near(row, 0.5 - 0.3)
    assert row.family is None
    assert row.grey == "the grid is in it: m0 was not run with pool_to: decimate:40"


def test_names_change_nothing_but_themselves(found, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")  # longer names would put other columns into the next line
    again = comparison.compare(write(tmp_path, ("mono_base", "hubert", "zz")))
    told = text.text(again.sections, again.banners)
    for theirs, ours in (("mono_base", "red"), ("hubert", "green"), ("zz", "blue")):
        told = told.replace(theirs, ours)
    squeezed = [re.sub(r"[\s=]+", " ", each) for each in (told, text.text(found.sections, found.banners))]
    assert squeezed[0] == squeezed[1]


def test_the_first_model_less_the_others_side_by_side(found):
    assert found.models == ("red", "green", "blue")
    aligned = section(found, "aligned-2")
    assert aligned.title == "red less blue: side by side"
    assert near(one(aligned, "best tap", "cca_word"), 0.60 - 0.50)
    table = next(each for each in aligned.tables if each.title.startswith("cca_word: "))
    line = next(line for line in table.rows if line[0] == "mid.layer1")
    assert line[2] == "40 - 20"
    assert line[table.names.index("difference")] == pytest.approx(0.1, abs=0.01)
    assert "exploratory" in table.title


@pytest.mark.parametrize("count", [6, 7])
def test_many_models_are_not_put_side_by_side(tmp_path, count):
    plant = planted.Planted(tmp_path, seed=8)
    there = [plant.run(f"m{i}", planted.facts(sha=str(i)), {"cca_word": {"": 0.4}}) for i in range(count)]
    found = comparison.compare(there)
    sides = [each.name for each in found.sections if each.name.startswith("aligned")]
    assert sides == ([f"aligned-{i}" for i in range(1, 6)] if count == 6 else [])
    assert any("give two folders" in note for note in found.notes) == (count == 7)


def test_nothing_is_said_to_be_wrong_with_sound_results(found):
    assert found.notes == ()
    assert found.banners == (
        "The weights of 2 of 7 models (red_r, blue_rd) are random: these show what the architecture alone gives.",
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"corpus_kind": "generated"}, "A check of the software, not a finding: speech is generated (planted)."),
        ({"speakers": 39}, "Few speakers: 39, and 40 or more are wanted"),
        ({"speakers": None}, "How many speakers there are is not recorded"),
    ],
)
def test_banners(tmp_path, fields, said):
    banners = comparison.compare(write(tmp_path, ("red", "green", "blue"), **fields)).banners
    assert [said in banner for banner in banners].count(True) == 1


def test_a_checkpoint_of_random_weights_has_a_banner_a_variation_has_none(folders, tmp_path):
    plant = planted.Planted(tmp_path, seed=2)
    fresh = plant.run("fresh", planted.facts(sha="d", weights="random"), LOW)
    found = comparison.compare([folders[0], fresh])
    assert found.banners == (
        "The weights of 1 of 2 models (fresh) are random: these show what the architecture alone gives.",
    )


def test_two_models_are_enough_and_what_is_missing_is_said(folders):
    found = comparison.compare([folders[0], folders[1]])
    rate, words = section(found, "rate"), section(found, "words")
    assert rate.verdict == "Not decided: no declared contrast could be had."
    assert rate.notes[0].startswith("Missing: a multi-resolution checkpoint, and one with the same blocks")
    assert words.verdict.startswith("Not decided: no two of these runs differ in the frame rate alone")
    assert near(one(section(found, "loss"), "mean of the middle block", "cca_word"), 0.15)


def test_the_checkpoints_of_one_training_are_not_asked_what_only_models_can_answer(tmp_path):
    plant = planted.Planted(tmp_path, seed=4)
    course = [plant.run(f"at{step}", planted.facts(sha=str(step), step=step), LOW) for step in (100, 200)]
    assert not {"loss", "rate", "words"} & {each.name for each in comparison.compare(course).sections}
    other = plant.run("other", planted.facts(sha="c", step=300, heads=1), LOW)
    assert {"loss", "rate", "words"} <= {each.name for each in comparison.compare([*course, other]).sections}


def test_what_was_not_run_is_refused_with_the_option_that_is_missing(folders):
    words = section(comparison.compare([folders[0], folders[2]]), "words")
    row = one(words, "both at 40 ms (", "cca_word")
    assert row.refused == "blue was not run with pool_to: decimate:40"
    assert words.verdict.startswith("Not decided")
    assert near(one(words, "mid.layer1, each at its own rate", "cca_word"), 0.10)
    assert one(words, "random weights", "cca_word").refused == "red was not run with random_weights: true"


def test_a_checkpoint_with_two_heads_after_all_is_refused_as_the_cell_without_the_loss(folders, tmp_path):
    plant = planted.Planted(tmp_path, seed=3)
    other = plant.run("b4_a", planted.facts(sha="d", single_target=False), LOW)
    loss = section(comparison.compare([folders[0], other]), "loss")
    (row,) = loss.contrasts
    assert row.refused == "both have 2 prediction heads: this does not isolate the auxiliary loss"
    assert row.isolates == "differs in: one label file for all rates no -> yes"
    assert loss.verdict.startswith("Not decided")


def test_a_pair_that_differs_in_more_is_grey_and_in_no_family(folders, tmp_path):
    plant = planted.Planted(tmp_path, seed=4)
    other = plant.run("plain", planted.facts(sha="d", heads=1, plain_adapters=True), LOW)
    loss = section(comparison.compare([folders[0], other]), "loss")
    rows = [row for row in loss.contrasts if row.value is not None]
    assert {(row.family, row.p_holm) for row in rows} == {(None, None)}
    assert all(row.grey.startswith("does not isolate it: differs also in simple sampling") for row in rows)
    assert loss.verdict.startswith("Not decided")


def test_context_is_grey(folders, tmp_path):
    plant = planted.Planted(tmp_path, seed=1, own=0.002)  # the folds of the others
    hubert = plant.run(
        "h", planted.facts(sha="e", ratios=(), layers=(6,), heads=1, unit_iteration=2), {"cca_word": {"": 0.3}}
    )
    rate = section(comparison.compare([folders[0], folders[2], hubert]), "rate")
    row = one(rate, "blue - h, best tap", "cca_word")
    assert near(row, 0.2)
    assert row.grey.startswith("context only")
    assert row.family is None


def test_runs_on_other_folds_are_not_compared(folders, tmp_path):
    plant = planted.Planted(tmp_path, seed=6, folds_id="others")
    flat = plant.run("blue", planted.facts(sha="c", ratios=planted.ONE_RATE), FLAT)
    found = comparison.compare([folders[0], folders[1], flat])
    row = one(section(found, "words"), "mid.layer1, each at its own rate", "cca_word")
    assert row.refused == "blue has cca_word on other folds, seeds or numbers of clusters than the others"
    assert any(banner.startswith("cca_word: rows on corpus planted, folds_id f") for banner in found.notes)


def test_refused_and_doubtful_rows_are_handed_on(folders, tmp_path):
    rows = results.read(folders[2])
    limited = [replace(r, grey="limited by data") if r.measure == "cca_word" else r for r in rows]
    results.write(tmp_path / "blue", limited)
    facts = upstream_facts.read(folders[2])
    upstream_facts.write(tmp_path / "blue", facts)
    words = section(comparison.compare([folders[0], folders[3], tmp_path / "blue", folders[4]]), "words")
    assert one(words, "mid.layer1, each at its own rate", "cca_word").grey == "limited by data"
    none = [replace(r, value=None, refused="too few rows", ci_low=None, ci_high=None, per_fold=None, replicates=None)
            if r.measure == "cca_word" else r for r in rows]  # fmt: skip
    results.write(tmp_path / "none", none)
    upstream_facts.write(tmp_path / "none", facts)
    words = section(comparison.compare([folders[0], tmp_path / "none"]), "words")
    assert (
        one(words, "mid.layer1, each at its own rate", "cca_word").refused == "none, mid.layer1: refused: too few rows"
    )


def test_old_results_are_put_side_by_side_only(tmp_path):
    plant = planted.Planted(tmp_path, seed=7)
    there = [plant.run(name, planted.facts(), LOW) for name in ("a", "b")]
    for folder in there:
        (folder / upstream_facts.FILE_NAME).unlink()
    found = comparison.compare(there)
    assert [each.name for each in found.sections] == ["aligned-1"]
    assert found.notes[0].startswith("Not known what these are made of, since there is no upstream.json: a, b.")
    assert one(found.sections[0], "best tap", "cca_word").value is not None


def test_what_cannot_be_compared_at_all(folders, tmp_path):
    with pytest.raises(UserError, match=f"a comparison takes two runs or more, .*; given: {folders[0]}"):
        comparison.compare(folders[:1])
    with pytest.raises(UserError, match="is given twice"):
        comparison.compare([folders[0], folders[0]])
    results.write(tmp_path, [*results.read(folders[0]), *results.read(folders[2])])
    with pytest.raises(UserError, match="several upstreams"):
        comparison.compare([tmp_path, folders[0]])


def test_the_command_prints_a_study(folders, capsys):
    expdir = str(folders[0].parent)
    assert commands.main(["report", expdir, "--compare"]) == 0
    shown = capsys.readouterr().out
    assert "Lower carries more" in shown
    assert "tables are left out here" in shown
    assert len(folders_of(expdir)) == 7
    assert commands.main(["report", expdir, "--compare", "--json"]) == 0
    assert '"name": "words"' in capsys.readouterr().out
    assert commands.main(["report", expdir, "--compare", "--table"]) == 2
