"""What several verifications say together: verdicts against planted truths, and the picture."""

import json

import numpy as np
import pytest
import scipy.stats
import tap_rows

from s3prl_plugin import commands, results
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.intervals import nadeau_bengio
from s3prl_plugin.report import drawing
from s3prl_plugin.select.verify import figure, outcome, sections, trial
from s3prl_plugin.select.verify.plan import SUM

TAPS = [f"layer{i}" for i in range(6)]
RIGHT = dict(zip(TAPS, (0.3, 0.45, 0.6, 0.8, 0.7, 0.5), strict=True))  # layer3 is best
MEASURES = {
    "cca_phone": dict(zip(TAPS, (1, 2, 4, 6, 5, 3), strict=True)),  # in the same order
    "cca_mel": dict(zip(TAPS, (6, 5, 3, 1, 2, 4), strict=True)),  # in the opposite one
    "cka_phone": dict(zip(TAPS, (4, 1, 6, 5, 3, 2), strict=True)),
}


def planted(upstream="hf a/b", size=400, of_sum=0.78, seed=0, task="PR"):
    """Heads that are right with these chances."""
    rng = np.random.default_rng(seed)
    errors = {tap: rng.binomial(1, 1 - chance, (3, size)).tolist() for tap, chance in {**RIGHT, SUM: of_sum}.items()}
    return trial.Trial(
        task=task, upstream=upstream, folder="run", score="per_39", unit="fraction", split="test",
        higher_is_better=False, selected="layer3", decided_by=["cca_phone"], taps=TAPS, seeds=[1, 2, 3], steps=10,
        tried=[0.1], rates=dict.fromkeys(errors, 0.1), dev={tap: 1 - RIGHT[tap] for tap in TAPS}, more_on_dev=False,
        test={name: np.mean(own, axis=1).tolist() for name, own in errors.items()}, errors=errors,
        counts=[1] * size, measures=MEASURES, failed={},
    )  # fmt: skip


def told(trials):
    (found,) = sections.of_several(trials)
    return " ".join(found.lead)


def test_a_measure_in_the_order_of_the_scores_guides_and_one_in_the_opposite_order_does_not():
    said = told([planted("one"), planted("other", seed=1)])
    assert "guides: holds at this scale for cca_phone, cka_phone." in said  # layer2 is above a random tap, too
    assert "guides: does not for cca_mel." in said
    assert said.count("cca_phone guides best") == 1
    guides = {each.measure: each for each in outcome.guides([planted()])}
    assert guides["cca_phone"].rho.value == 1
    assert guides["cca_mel"].rho.value == -1
    assert guides["cca_phone"].taps == ("layer3",)
    assert guides["cca_phone"].regret.value == 0
    assert guides["cca_phone"].lead.value == pytest.approx(0.8 - np.mean(list(RIGHT.values())), abs=0.05)


def test_two_upstreams_tell_more_than_one():
    one, two = (outcome.guides(own)[0].lead for own in ([planted()], [planted(), planted("other", seed=1)]))
    assert two.ci_high - two.ci_low < one.ci_high - one.ci_low


@pytest.mark.parametrize(
    ("of_sum", "size", "verdict"),
    [(0.6, 400, "holds at this scale"), (0.97, 400, "does not"), (0.78, 20, "not decided")],
)
def test_whether_one_layer_matches_all(of_sum, size, verdict):
    said = told([planted(of_sum=of_sum, size=size)])
    assert f"One layer matches the sum of all: {verdict} (the layer leads by" in said
    assert ("would decide it" in said) == (verdict == "not decided")


def test_the_command_shows_what_is_finished(tmp_path, capsys):
    folder = tmp_path / "run"
    for task in ("PR", "SID"):
        path = trial.file_of(folder, task)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(planted(task=task).as_json()))
    (folder / "results.jsonl").write_text("")
    assert commands.main(["select", str(folder), "--verified"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("do measures guide") == 2
    assert commands.main(["select", str(folder), "--verified", "--task", "pr", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert said["name"] == "verified-PR"
    assert commands.main(["select", str(folder), "--verified", "--task", "KS"]) == 2
    assert "no finished verification of KS; `--task TASK --verify` makes one" in capsys.readouterr().err
    assert commands.main(["select", str(folder)]) == 2
    assert "name a task" in capsys.readouterr().err
    assert commands.main(["select", str(folder), "--verified", "--verify"]) == 2
    assert "leave out --verify" in capsys.readouterr().err


def rows_of(probe, measure, **changes):
    made = [tap_rows.row(tap, i, probe[i], "probe_phone", **changes) for i, tap in enumerate(TAPS)]
    return made + [tap_rows.row(tap, i, np.full(8, measure[i]), "cca_phone", **changes) for i, tap in enumerate(TAPS)]


def test_a_measure_over_folds_may_stand_in_the_place_of_heads(tmp_path, capsys):
    rng = np.random.default_rng(0)
    probe = np.array(list(RIGHT.values()))[:, None] + 0.01 * rng.standard_normal((6, 8))
    rows = rows_of(probe, [1, 2, 4, 6, 3, 5])  # layer3 is the best, and two others change places
    (found,) = outcome.guides([outcome.against(rows, "probe_phone", "run")])
    assert (found.measure, found.taps) == ("cca_phone", ("layer3",))
    assert found.rho.value == pytest.approx(scipy.stats.spearmanr(probe.mean(axis=1), [1, 2, 4, 6, 3, 5]).statistic)
    lead = nadeau_bengio(probe[3] - probe.mean(axis=0))
    assert (found.lead.value, found.lead.ci_low, found.lead.ci_high) == pytest.approx((lead.value, *lead.interval()))
    assert found.regret.value == 0  # on any seven folds layer3 is the best, too
    with pytest.raises(UserError, match=r"run has no mi_phone over folds at 3 taps or more; there are: probe_phone"):
        outcome.against(rows, "mi_phone", "run")
    results.write(tmp_path / "run", rows)
    assert commands.main(["select", str(tmp_path / "run"), "--against", "probe_phone"]) == 0
    shown = capsys.readouterr().out
    assert "probe_phone: do measures guide?" in shown
    assert "A measure guides: holds at this scale for cca_phone." in shown


def test_the_best_tap_of_a_fold_is_chosen_on_the_others():
    rng = np.random.default_rng(1)
    equal = 0.5 + 0.1 * rng.standard_normal((300, 6, 8))  # taps that are equal: none is better than any other
    found = [outcome.against(rows_of(each, range(6)), "probe_phone", "run").best.value for each in equal]
    assert np.mean(found) == pytest.approx(0.5, abs=0.01)
    assert equal.mean(axis=2).max(axis=1).mean() > 0.53  # as the best tap's own score would have it


def test_the_picture_has_a_panel_each_and_a_point_per_tap(tmp_path):
    chart = figure.scatter([planted("one"), planted("other")], [("PR", "cca_phone"), ("PR", "cca_mel")], "title")
    panels = chart.to_dict(validate=False)["concat"]
    assert [each["layer"][0]["title"] for each in panels] == ["PR and cca_phone", "PR and cca_mel"]
    assert drawing.save(chart, tmp_path / "a.svg").read_text().count("per_39 on test") >= 1
    with pytest.raises(UserError, match="no verification of SID"):
        figure.scatter([planted()], [("SID", "cca_phone")], "title")
