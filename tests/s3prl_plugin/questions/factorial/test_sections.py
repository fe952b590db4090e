"""The report on a factorial: cells are told by the files' facts, planted effects come out, other arms stay apart."""

import json
from dataclasses import replace

import numpy as np
import pytest
from planted_results import ONE_RATE, Planted, facts, task_rows

from s3prl_plugin import commands, results
from s3prl_plugin.questions import factorial
from s3prl_plugin.questions.comparison import runs as comparison
from s3prl_plugin.questions.factorial import design
from s3prl_plugin.states import upstream_facts

LOSS, RATE, INTERACTION = 0.08, 0.04, 0.02
ARMS = {
    "a": ({"heads": 2}, LOSS / 2 + RATE / 2 + INTERACTION / 4),
    "b": ({"heads": 1}, -LOSS / 2 + RATE / 2 - INTERACTION / 4),
    "c": ({"heads": 2, "ratios": ONE_RATE}, LOSS / 2 - RATE / 2 - INTERACTION / 4),
    "d": ({"heads": 1, "ratios": ONE_RATE}, -LOSS / 2 - RATE / 2 + INTERACTION / 4),
    "even": ({"heads": 2, "ratios": ONE_RATE, "auxiliary_every": 2}, 0.0),
    "plain": ({"heads": 1, "ratios": (), "layers": (6,)}, -0.1),
    "simple": ({"heads": 2, "plain_adapters": True}, 0.0),
}


def study(root, arms=tuple(ARMS), seeds=(1, 2, 3), own=1e-9, common=0.02, options=None, fixed=True):
    """Folders of models with these seeds; `mi_word` is highest at one tap, everywhere 0.3 below it elsewhere."""
    planted = Planted(root, seed=5, common=common, own=own, corpus_kind="generated")
    rng = np.random.default_rng(3)
    folders = []
    for seed in seeds:
        base = 0.5 + 0.1 * rng.standard_normal()
        for number, name in enumerate(arms):
            said, moved = ARMS[name]
            value = base + moved
            about = facts(sha=f"{seed}{number}"[:1], seed=seed, options=options, **said)
            about = replace(about, checkpoint_sha256=f"{seed:032d}{number:032d}")
            if fixed and about.training:
                weights = [{**each, "weight": 1.0} for each in about.training["loss_weights"]]
                about = replace(about, training={**about.training, "loss_weights": weights})
            truths = {"mi_word": {"mid.layer0": value, "": value - 0.3}, "cca_mel": {"": 0.4}}
            suffix = "_pooled" if options else ""
            folders.append(planted.run(f"{name}_seed{seed}_checkpoint_last{suffix}", about, truths))
    return folders


def contrasts(section, measure="mi_word"):
    return {c.label: c for c in section.contrasts if c.measure == measure}


def test_planted_effects_come_out(tmp_path):
    section = factorial.sections(study(tmp_path))[0]
    found = contrasts(section)
    for which in ("best tap", "middle block", "output"):
        assert found[f"loss, {which} (3 seeds)"].value == pytest.approx(LOSS, abs=1e-6)
        assert found[f"rate, {which} (3 seeds)"].value == pytest.approx(RATE, abs=1e-6)
        assert found[f"interaction, {which} (3 seeds)"].value == pytest.approx(INTERACTION, abs=1e-6)
    assert {c.family for c in section.contrasts} == {"loss", "rate", "interaction"}
    for family in ("loss", "rate", "interaction"):
        declared = [c for c in section.contrasts if c.family == family]
        assert all(c.p_holm >= c.p for c in declared)
        assert len(declared) == 5  # three summaries of words, two of the spectrum
    assert section.verdict.startswith("The auxiliary loss makes a difference")


def test_further_arms_are_exploratory(tmp_path):
    _, each, arms = factorial.sections(study(tmp_path))
    assert all(c.family is None for c in (*each.contrasts, *arms.contrasts))
    found = contrasts(arms)
    assert found["even - c, best tap (3 seeds)"].value == pytest.approx(
        -(LOSS / 2 - RATE / 2 - INTERACTION / 4), abs=1e-6
    )
    assert found["plain - d, output (3 seeds)"].value == pytest.approx(-0.1 - ARMS["d"][1], abs=1e-6)
    assert "simple sampling no -> yes" in found["simple - a, best tap (3 seeds)"].isolates
    simple = contrasts(each)["rate without it, middle block (3 seeds)"]
    assert simple.value == pytest.approx(RATE - INTERACTION / 2, abs=1e-6)
    assert "frame rate of the middle block 20 -> 40 ms" in simple.isolates


def with_tasks(root, moved):
    """The study, with a task whose score is the model's planted one plus what `moved` gives for a seed of the head."""
    for folder in study(root):
        about = upstream_facts.read(folder)
        arm, seed = folder.name.split("_seed")[0], int(folder.name.split("_seed")[1][0])
        scores = {head: 0.5 + ARMS[arm][1] + 0.03 * seed + moved(head) for head in (7, 8)}
        results.write(folder, task_rows(about, "KS", scores, corpus_kind="generated"))
        wrong = dict.fromkeys((7, 8), 0.5 - ARMS[arm][1])
        results.write(folder, task_rows(about, "PR", wrong, score="per_71", corpus_kind="generated"))
    return sorted(root.iterdir())


def test_tasks_count_with_the_mean_over_their_heads(tmp_path):
    section = factorial.sections(with_tasks(tmp_path, lambda head: 0.01 * head))[0]
    for task, sign in (("KS", 1), ("PR", -1)):
        found = contrasts(section, task)
        assert found["loss, head on the weighted sum (3 seeds)"].value == pytest.approx(sign * LOSS, abs=1e-9)
        assert found["rate, head on the weighted sum (3 seeds)"].value == pytest.approx(sign * RATE, abs=1e-9)
        assert all(each.higher_is_better == (sign > 0) for each in found.values())
    means = {row[2]: row[3] for row in section.tables[1].rows if row[0] == "KS"}
    assert means["plain"] == pytest.approx(0.5 - 0.1 + 0.06 + 0.075)


def test_words_less_phones(tmp_path):
    """Phones move with the rate by .01, words by RATE."""
    planted = Planted(tmp_path, seed=2, common=0.02, own=1e-9)
    for seed in (1, 2, 3):
        for name in "abcd":
            said, moved = ARMS[name]
            about = replace(facts(seed=seed, **said), checkpoint_sha256=f"{seed:063d}{name}")
            phones = 0.3 + 0.01 * (name in "ab")
            planted.run(f"{name}_seed{seed}", about, {"mi_word": {"": 0.5 + moved}, "mi_phone": {"": phones}})
    found = contrasts(factorial.sections(sorted(tmp_path.iterdir()))[1], "mi_word - mi_phone")
    for which in ("best tap", "middle block", "output"):
        assert found[f"rate, {which} (3 seeds)"].value == pytest.approx(RATE - 0.01, abs=1e-6)
        assert found[f"rate, {which} (3 seeds)"].family is None


def cost_study(root, steps):
    """Scores that grow with the logarithm of updates; frames of 20 ms cost a quarter more."""
    planted = Planted(root, seed=2, common=0.02, own=1e-9)
    for seed in (1, 2, 3):
        for name in "abcd":
            said = ARMS[name][0]
            for step in steps if name in "cd" else steps[-1:]:
                about = facts(seed=seed, step=step, macs=100e6 if name in "ab" else 125e6, **said)
                about = replace(about, checkpoint_sha256=f"{seed:030d}{step:033d}{name}")
                planted.run(f"{name}_seed{seed}_checkpoint_{step}", about, {"mi_word": {"": 0.001 * step}})
    return sorted(root.iterdir())


def test_equal_cost_lies_between_checkpoints(tmp_path):
    """What 500 updates at 40 ms cost pays for 400 at 20 ms; the score is .001 an update."""
    section = next(s for s in factorial.sections(cost_study(tmp_path, (300, 450, 500))) if s.name.endswith("-cost"))
    assert {row[0]: row[2] for row in section.tables[0].rows} == {"a": 500, "b": 500, "c": 400, "d": 400}
    (rate,) = (each for label, each in contrasts(section).items() if label.startswith("rate, output"))
    assert rate.value == pytest.approx(0.1, abs=1e-6)
    tidy = {(r["equal"], r["arm"], r["seed"]): r["value"] for r in factorial.records(sorted(tmp_path.iterdir()))
            if r["of"] == "output"}  # fmt: skip
    assert [tidy[equal, "c", 2] for equal in ("updates", "cost")] == pytest.approx([0.5, 0.4], abs=0.05)
    assert tidy["updates", "c", 2] - tidy["cost", "c", 2] == pytest.approx(0.1, abs=1e-4)


def test_an_arm_is_called_as_its_last_checkpoints_are(tmp_path):
    folders = cost_study(tmp_path, (400, 500))
    for folder in folders:
        if "checkpoint_400" in folder.name:
            folder.rename(tmp_path / f"a_before_{folder.name}")
    names = {each["arm"] for each in factorial.records(sorted(tmp_path.iterdir()))}
    assert names == {"a", "b", "c", "d"}


def test_equal_cost_without_an_earlier_checkpoint_is_refused(tmp_path):
    section = next(s for s in factorial.sections(cost_study(tmp_path, (450, 500))) if s.name.endswith("-cost"))
    assert all(
        "no checkpoints about 400 updates were analysed, only [450, 500]" in c.refused for c in section.contrasts
    )


def test_the_best_tap_is_not_the_luckiest(tmp_path):
    """Equal taps with much noise of their own: the highest of nine would be too high by more than a deviation."""
    planted = Planted(tmp_path, seed=1, common=0.0, own=0.1)
    for seed in range(1, 13):
        about = replace(facts(seed=seed), checkpoint_sha256=f"{seed:064d}")
        planted.run(f"a_seed{seed}", about, {"mi_word": {"": 0.5}})
        about = replace(facts(heads=1, seed=seed), checkpoint_sha256=f"{seed:063d}b")
        planted.run(f"b_seed{seed}", about, {"mi_word": {"": 0.5}})
    section = factorial.sections(sorted(tmp_path.iterdir()))[0]
    means = {row[1]: row[3] for row in section.tables[1].rows if row[2] == "a"}
    assert means["best tap"] == pytest.approx(0.5, abs=0.025)
    highest = [
        max(r.value for r in run.layers["mi_word", None]) for run in comparison.read(sorted(tmp_path.iterdir())).runs
    ]
    assert np.mean(highest) > 0.53


def test_unequal_seeds_are_told_and_left_out(tmp_path):
    folders = study(tmp_path, seeds=(1, 2, 3, 4))
    folders = [f for f in folders if f.name not in ("b_seed4_checkpoint_last", "even_seed1_checkpoint_last")]
    section, _, arms = factorial.sections(folders)
    assert any("b lacks the seed 4" in note for note in section.notes)
    assert all("(3 seeds)" in c.label for c in section.contrasts)
    assert "even - c, best tap (3 seeds)" in contrasts(arms)
    assert "plain - d, best tap (4 seeds)" in contrasts(arms)


def test_a_missing_cell_refuses_the_main_effects_only(tmp_path):
    section, each, *_ = factorial.sections(study(tmp_path, arms=("a", "c", "d")))
    assert all("lower rate, without auxiliary loss" in c.refused for c in section.contrasts)
    assert section.verdict is None
    assert "loss at the model's own rate, best tap (3 seeds)" in contrasts(each)


def test_two_seeds_are_refused(tmp_path):
    section = factorial.sections(study(tmp_path, seeds=(1, 2)))[0]
    assert all("2 seeds in common, 3 are needed" in c.refused for c in section.contrasts)


def test_cells_that_differ_in_more_are_no_factorial(tmp_path):
    folders = study(tmp_path)
    for folder in folders:
        if folder.name.startswith("d"):
            about = upstream_facts.read(folder)
            upstream_facts.write(folder, replace(about, architecture={**about.architecture, "adapter_kernel": 7}))
    section = factorial.sections(folders)[0]
    assert all(
        "differ in more than the two factors: architecture.adapter_kernel (1, now 7)" in c.refused
        for c in section.contrasts
    )


def test_two_arms_that_the_files_do_not_tell_apart_are_one_arm(tmp_path):
    folders = study(tmp_path)
    for folder in folders:
        if folder.name.startswith("even"):
            about = upstream_facts.read(folder)
            training = {k: v for k, v in about.training.items() if k != "auxiliary_every"}
            upstream_facts.write(folder, replace(about, training=training))
    section = factorial.sections(folders)[0]
    assert any("a second model with seed 1 like" in note for note in section.notes)


def test_a_weight_that_changes_with_the_rate_is_told(tmp_path):
    section = factorial.sections(study(tmp_path, fixed=False))[0]
    assert all("weight of the loss changes with the rate" in c.grey for c in section.contrasts)
    weights = "weigh 1 and 0.5 at the lower rate and 1 and 1 at the model's own"
    assert any(weights in note for note in section.notes)
    assert section.verdict.startswith("Not decided")
    assert weights in section.verdict


def test_another_grid_is_a_view_of_its_own(tmp_path):
    folders = study(tmp_path, arms=("a", "b", "c", "d")) + study(
        tmp_path, arms=("a", "b", "c", "d"), options={"pool_to": "mean:40"}
    )
    names = [section.name for section in factorial.sections(folders)]
    assert names == ["factorial", "factorial-each", "factorial-pool_to-mean-40", "factorial-pool_to-mean-40-each"]


def test_seeds_come_from_the_file_then_from_the_name(tmp_path):
    planted = Planted(tmp_path)
    with_seed = planted.run("x_seed5", facts(seed=7), {"mi_word": {"": 0.5}})
    without = planted.run(
        "y_seed12_checkpoint_400", replace(facts(), checkpoint_sha256="9" * 64), {"mi_word": {"": 0.5}}
    )
    nameless = planted.run("z", replace(facts(), checkpoint_sha256="8" * 64), {"mi_word": {"": 0.5}})
    assert [design.seed_of(run) for run in comparison.read([with_seed, without, nameless]).runs] == [7, 12, None]


def test_random_weights_and_other_results_have_no_factorial(tmp_path):
    assert factorial.sections(study(tmp_path, options={"random_weights": True})) == ()
    assert factorial.sections(study(tmp_path / "one", arms=("a", "plain"))) == ()


def test_the_terminal_shows_it_first_and_asks_pairs_no_more(tmp_path, capsys):
    study(tmp_path, arms=("a", "b", "c", "d"))
    assert commands.main(["report", *map(str, sorted(tmp_path.iterdir())), "--compare"]) == 0
    said = capsys.readouterr().out
    assert said.index("Is it the auxiliary loss or the frame rate?") < said.index("What does the lower frame rate save")
    assert "What does the auxiliary loss" not in said


def test_the_figure_has_every_seed(tmp_path):
    section = factorial.sections(study(tmp_path))[0]
    spec = json.dumps(section.figures[0].spec)
    assert spec.count('"arm": "a"') == 3
    assert len(section.figures) == 3
    vl_convert = pytest.importorskip("vl_convert")
    assert vl_convert.vegalite_to_svg(spec).startswith("<svg")
