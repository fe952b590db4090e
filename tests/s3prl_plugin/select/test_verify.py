"""A verification: which heads it trains, how it goes on, and what it makes of their scores."""

import argparse
import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import soundfile
import tap_rows
import torch
import yaml

from s3prl_plugin import commands, results, select, superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import digests
from s3prl_plugin.inference.folders import remember
from s3prl_plugin.jobs.process import leave_reason
from s3prl_plugin.report.text import text as written
from s3prl_plugin.select import verify
from s3prl_plugin.select.verify import outcome, sections, trial
from s3prl_plugin.select.verify.plan import SUM
from s3prl_plugin.select.verify.training import TrainedHead, VerifyTraining
from s3prl_plugin.states import upstream_facts
from s3prl_plugin.upstream.mr_hubert import small

TAPS = tap_rows.TAPS
SEEDS = (1, 2, 3)
STEPS = {"total_steps": 2, "gradient_accumulate_steps": 1, "log_step": 2, "eval_step": 1, "save_step": 2}
SID = {"override": {"runner": STEPS, "downstream_expert": {"datarc": {"num_workers": 0, "train_batch_size": 6}}}}


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Half a second of noise for every utterance of two speakers, who differ in loudness."""
    folder = tmp_path_factory.mktemp("speech")
    rng = np.random.default_rng(0)
    lines = ["utt\taudio\tspeaker"]
    for speaker, loud in (("a", 0.05), ("b", 0.3)):
        for i in range(5):
            soundfile.write(folder / f"{speaker}{i}.wav", loud * rng.standard_normal(8000), 16000, subtype="PCM_16")
            lines.append(f"{speaker}{i}\t{speaker}{i}.wav\t{speaker}")
    (folder / "utterances.tsv").write_text("\n".join(lines) + "\n")
    return f"manifest:{folder}"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def source(write_run, tmp_path, speech):
    suite = {"corpus": speech, "analyses": {"cca": {}}, "tasks": {"SID": SID}}
    (found,) = select.sources([write_run(tmp_path / "run", suite=suite)])
    return found


def plan_of(source, tmp_path, **options):
    return verify.planned("SID", source, tmp_path / "heads", **{"seeds": SEEDS, **options})


def test_the_sum_comes_first_and_every_state_tap_follows(source, tmp_path):
    plan = plan_of(source, tmp_path)
    assert list(plan.features) == [SUM, *TAPS]
    assert plan.features[SUM] == ("-s", "hidden_states")
    assert plan.rates == (1e-4, 1e-5, 1e-3)  # the published one, a tenth and ten times of it
    assert plan.heads == 10 * (3 + 2)
    assert plan.steps == 2
    assert "50 heads of 2 steps, 100 steps in all" in plan.cost()[0]


def test_a_job_is_a_suite_of_one_task_with_its_rate_and_the_common_store(source, tmp_path):
    plan = plan_of(source, tmp_path)
    one, other = (plan.run(tap, 0.01, seed, "corpus") for tap, seed in ((TAPS[1], 1), (SUM, 2)))
    suite = one.suite["suite"]
    assert suite["tasks"]["SID"]["override"]["optimizer"] == {"lr": 0.01}
    assert suite["tasks"]["SID"]["override"]["runner"] == STEPS
    assert suite["store"] == other.suite["suite"]["store"]
    assert one.folder != other.folder
    assert one.passed_on[0] == ("-s", TAPS[1])
    assert SID["override"].keys() == {"runner", "downstream_expert"}  # what the run says is left as it is


def test_fewer_steps_and_other_rates(source, tmp_path):
    plan = plan_of(source, tmp_path, steps=8, rates=[0.1])
    runner = plan.run(TAPS[0], None, 1, "c").suite["suite"]["tasks"]["SID"]["override"]["runner"]
    assert (plan.steps, runner["total_steps"], runner["eval_step"]) == (8, 8, 2)
    assert plan.rates == (0.1,)
    assert plan.heads == 10 * 3


def test_where_nothing_is_trained_there_are_no_rates_and_seeds(source, tmp_path):
    plan = verify.planned("QbE", source, tmp_path / "heads", SEEDS, corpus="generated")
    assert (plan.rates, plan.steps, plan.seeds, plan.heads) == ((), 0, (1,), 9)
    with pytest.raises(UserError, match="QbE trains nothing"):
        verify.planned("QbE", source, tmp_path / "heads", SEEDS, steps=3, corpus="generated")


def test_verification_of_speakers_has_no_dev_set_to_choose_a_rate_on(source, tmp_path):
    assert len(verify.planned("ASV", source, tmp_path / "heads", SEEDS, corpus="generated").rates) == 1


def test_heads_are_trained_on_the_checkpoint_that_was_analysed(source, tmp_path, checkpoint):
    its = upstream_facts.Facts(upstream="mr_hubert_local", identity={"checkpoint": digests.of_path(checkpoint)})
    upstream_facts.write(source.folder, its)
    plan_of(source, tmp_path)
    upstream_facts.write(source.folder, replace(its, identity={"checkpoint": "0" * 64}))
    with pytest.raises(UserError, match="is not the checkpoint that was analysed"):
        plan_of(source, tmp_path)


def test_a_folder_of_transformers_is_known_by_the_files_that_it_loads(source, tmp_path):
    folder = tmp_path / "whisper"
    folder.mkdir()
    files = {"config.json": b'{"model_type": "whisper"}', "model.safetensors": b"weights", "README.md": b"words"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    listed = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)[1:])
    its = upstream_facts.Facts(
        upstream="hf", identity={"checkpoint": hashlib.sha256(listed.encode()).hexdigest()}
    )  # as `sha256sum config.json model.safetensors | sha256sum` prints it
    upstream_facts.write(source.folder, its)
    its_own = replace(source, upstream="hf", checkpoint=str(folder))
    verify.planned("SID", its_own, tmp_path / "heads", SEEDS)
    (folder / "model.safetensors").write_bytes(b"others")
    with pytest.raises(UserError, match="is not the checkpoint that was analysed"):
        verify.planned("SID", its_own, tmp_path / "heads", SEEDS)


def test_two_seeds_are_too_few(source, tmp_path):
    with pytest.raises(UserError, match="an interval over heads needs 3 or more"):
        plan_of(source, tmp_path, seeds=(1, 2, 2))


def test_a_study_is_verified_one_upstream_after_the_other(write_run, tmp_path, speech, capsys):
    suite = {"corpus": speech, "analyses": {"cca": {}}, "tasks": {"SID": SID}}
    for name in ("one", "two"):
        write_run(tmp_path / "study" / name, suite=suite)
    write_run(tmp_path / "study" / "lacks", suite=suite, measures=("cca_phone",))
    remember(tmp_path / "study", ["two", "lacks", "one"])
    words = ["select", str(tmp_path / "study"), "--task", "SID", "--verify", "--dry-run"]
    assert commands.main(words) == 2
    said = capsys.readouterr().err
    assert re.findall(r"\[select\] SID on (\w+): 9 taps", said) == ["two", "one"]
    assert "[select] lacks: cca_speaker is not in the results; measure it" in said
    assert commands.main([*words, "--out", str(tmp_path / "heads")]) == 2
    assert "--out" in capsys.readouterr().err


def test_time_is_told_from_the_runs_own_task(source, tmp_path):
    record = superb.Record.open(source.folder / "SID", {"runner": STEPS}, {"seed": 1})
    record.finish("dev-best.ckpt", {})
    assert "when the first head is trained" in "\n".join(plan_of(source, tmp_path).cost())
    record.took(62)
    assert "about 52 min in all" in "\n".join(plan_of(source, tmp_path).cost())  # 50 heads of 62 s
    assert "about 1 h 43 min" in "\n".join(plan_of(source, tmp_path, steps=4).cost())


class Planted:
    """Runs no suite, but leaves what one leaves: a record, a checkpoint, a row."""

    def __init__(self, dev, test, fails=()):
        self.dev, self.test, self.fails, self.ran = dev, test, fails, []

    def __call__(self, flags):
        folder = Path(flags[flags.index("-p") + 1])
        name, rate, seed = folder.parts[-3], float(folder.parts[-2].removeprefix("lr")), int(folder.name[4:])
        self.ran.append((name, rate, seed))
        if name in self.fails:
            raise RuntimeError("out of memory")
        record = superb.Record.open(folder / "SID", {}, {"seed": seed})
        record.finish("dev-best.ckpt", {"voxceleb1/test-acc": self.test(name, rate, seed)})
        score = torch.ones(1) * self.dev(name, rate, seed)
        content = {
            "Downstream": {"best_score": score},
            "Args": argparse.Namespace(seed=seed),
        }  # as s3prl's runner has it
        torch.save(content, folder / "SID" / "dev-best.ckpt")
        results.write(folder, [tap_rows.row("layer0", 0, [0.1, 0.2])])
        return 0


def peak(name, rate, seed):
    """On dev: mid.layer0 is best, and ten times the published rate."""
    place = TAPS.index(name) if name in TAPS else 0
    return 0.5 - 0.05 * abs(place - 4) - (0 if rate == 1e-3 else 0.1) + 0.001 * seed


def test_the_rate_is_chosen_on_dev_with_the_first_seed(source, tmp_path):
    planted = Planted(peak, lambda name, rate, seed: 0.9 if rate == 1e-5 else 0.1)  # test would choose another
    training = VerifyTraining(plan_of(source, tmp_path), lambda _: None, planted)
    training.all()
    assert set(training.heads) == {(subject, seed) for subject in (SUM, *TAPS) for seed in SEEDS}
    assert {head.rate for head in training.heads.values()} == {1e-3}
    assert [ran[1:] for ran in planted.ran if ran[0] == TAPS[0]] == [
        (1e-4, 1), (1e-5, 1), (1e-3, 1), (1e-3, 2), (1e-3, 3)]  # fmt: skip
    assert len(planted.ran) == training.plan.heads


def test_what_is_finished_is_not_run_again(source, tmp_path):
    first = Planted(peak, peak, fails=("mid.pre",))
    training = VerifyTraining(plan_of(source, tmp_path, rates=[1e-3]), lambda _: None, first)
    training.all()
    assert training.failures.keys() == {"mid.pre"}
    assert "out of memory" in training.failures["mid.pre"]
    second, said = Planted(peak, peak), []
    again = VerifyTraining(plan_of(source, tmp_path, rates=[1e-3]), said.append, second)
    again.all()
    assert {name for name, _, _ in second.ran} == {"mid.pre"}
    assert said[0].startswith("13 of 30: mid.pre")  # after four subjects of three heads each
    assert {key: head for key, head in again.heads.items() if key[0] != "mid.pre"} == training.heads
    assert any("left)" in line for line in said)


def test_what_makes_all_fail_ends_it_after_two(source, tmp_path):
    planted = Planted(peak, peak, fails=("weighted_sum", *TAPS))
    with pytest.raises(UserError, match="out of memory"):
        VerifyTraining(plan_of(source, tmp_path), lambda _: None, planted).all()
    assert len(planted.ran) == 2


def test_the_reason_of_a_failure_is_the_one_that_the_suite_told(source, tmp_path):
    def fails(flags):
        leave_reason(Path(flags[flags.index("-p") + 1]), "SID: no such voice")
        return 1

    with pytest.raises(UserError, match=r"^SID: no such voice$"):
        VerifyTraining(plan_of(source, tmp_path), lambda _: None, fails).all()


def test_a_checkpoint_that_is_gone_is_told(source, tmp_path):
    plan = plan_of(source, tmp_path)
    Planted(peak, peak)(plan.run(TAPS[0], 1e-3, 1, "c").write())
    folder = plan.run(TAPS[0], 1e-3, 1, "c").folder / "SID"
    (folder / "dev-best.ckpt").unlink()
    with pytest.raises(UserError, match=r"dev-best\.ckpt: gone"):
        verify.scored(plan, folder, 1e-3)
    with pytest.raises(UserError, match="not finished"):
        verify.scored(plan, tmp_path, 1e-3)


@pytest.fixture
def planted(source, tmp_path):
    """A plan, a recommendation, and heads whose best tap is not the selected one."""
    plan = plan_of(source, tmp_path)
    found = select.recommend(select.criterion("SID"), source)
    rng = np.random.default_rng(0)
    heads = {}
    for i, name in enumerate([SUM, *TAPS]):
        for seed in SEEDS:
            heads[name, seed] = TrainedHead(1e-3, 0.3 + 0.04 * (i == 7), 0.3 + 0.02 * i + 0.01 * rng.standard_normal())
    return plan, found, heads


def shown(said):
    return written([sections.of_one(said)])


def paired(better, worse):
    """The t interval of differences over seeds."""
    expected = scipy.stats.ttest_rel(better, worse)
    return (np.mean(better) - np.mean(worse), *expected.confidence_interval())


def test_regret_is_that_of_the_tap_that_is_best_on_dev(planted):
    plan, found, heads = planted
    said = outcome.trial(plan, found, heads, {})
    tests = {name: [heads[name, seed].test for seed in SEEDS] for name in (SUM, *TAPS)}
    ways = {line.way: line for line in outcome.ways(said)}
    lead = ways["best on dev"].lead
    assert (lead.value, lead.ci_low, lead.ci_high) == pytest.approx(paired(tests[TAPS[6]], tests[TAPS[4]]))
    assert ways["selected"].tap == TAPS[4]
    assert ways["best on dev"].tap == TAPS[6]
    assert ways["last tap"].tap == TAPS[8]
    assert ways["middle tap"].tap == TAPS[4]
    assert ways["middle tap"].lead.value == 0
    assert ways["a random tap (mean of 9)"].test == pytest.approx(np.mean([tests[name] for name in TAPS]))
    assert ways[SUM].test == pytest.approx(np.mean(tests[SUM]))
    (upper,) = [line for line in ways.values() if line.optimistic]
    assert upper.tap == max(TAPS, key=lambda name: np.mean(tests[name]))
    assert upper.lead.value >= lead.value
    match = outcome.against_sum([said])
    assert (match.value, match.ci_low, match.ci_high) == pytest.approx(paired(tests[TAPS[6]], tests[SUM]))


def test_of_an_error_rate_less_is_better(planted):
    plan, found, heads = planted
    per = replace(plan, task=superb.task("PR"))  # phone error rate, on dev and on test
    ways = outcome.ways(outcome.trial(per, found, heads, {}))
    (upper,) = [line for line in ways if line.optimistic]
    assert upper.tap == min(TAPS, key=lambda name: np.mean([heads[name, seed].test for seed in SEEDS]))
    assert upper.lead.value > 0
    assert upper.test < ways[0].test
    assert ways[1].tap == TAPS[0]  # all but one are equal on dev, and the first of them counts


def test_what_measures_foretold_is_a_rank_correlation(planted):
    plan, found, heads = planted
    said = outcome.trial(plan, found, heads, {})
    rows = {row.tap: row.value for row in found.choices[0].rows}
    tests = {name: np.mean([heads[name, seed].test for seed in SEEDS]) for name in TAPS}
    guides = {each.measure: each for each in outcome.guides([said])}
    assert set(guides) == {"cca_speaker", "cca_phone", "mi_phone", "cca_word", "cca_mel"}
    own = guides["cca_speaker"]
    expected = scipy.stats.spearmanr([rows[name] for name in TAPS], [tests[name] for name in TAPS]).statistic
    assert own.each == pytest.approx((expected,))
    assert own.rho.ci_low <= own.rho.value <= own.rho.ci_high
    best = max(TAPS, key=rows.get)
    everything = np.mean([[heads[name, seed].test for seed in SEEDS] for name in TAPS], axis=0)
    of_best, of_dev = ([heads[name, seed].test for seed in SEEDS] for name in (best, TAPS[6]))
    for gain, other in ((own.lead, (of_best, everything)), (own.regret, (of_dev, of_best))):
        assert (gain.value, gain.ci_low, gain.ci_high) == pytest.approx(paired(*other))
    assert outcome.guides([said, said])[0].rho.value == pytest.approx(outcome.guides([said])[0].rho.value)


def test_without_a_dev_set_there_is_the_upper_bound_alone(planted):
    plan, found, heads = planted
    heads = {key: replace(head, dev=None) for key, head in heads.items()}
    said = outcome.trial(plan, found, heads, {})
    assert (said.best_on_dev, outcome.against_sum([said])) == (None, None)
    assert "no dev set" in shown(said)


def test_a_tap_that_failed_is_left_out_and_the_selected_one_must_not(planted):
    plan, found, heads = planted
    for seed in SEEDS:
        del heads[TAPS[8], seed]
    said = outcome.trial(plan, found, heads, {TAPS[8]: "out of memory"})
    assert len(said.taps) == 8
    assert f"failed: {TAPS[8]}: out of memory" in shown(said)
    del heads[TAPS[4], 2]
    with pytest.raises(UserError, match=f"{TAPS[4]}: the selected tap has no score"):
        outcome.trial(plan, found, heads, {})


def test_rates_at_the_end_of_the_grid_are_told(planted):
    plan, found, heads = planted
    text = shown(outcome.trial(plan, found, heads, {}))
    assert "9 of 9 taps did best at an end of the rates tried (1e-05, 0.0001, 0.001)" in text


def test_a_file_gives_the_trial_back_and_others_are_refused(planted, tmp_path):
    plan, found, heads = planted
    said = outcome.trial(plan, found, heads, {})
    path = tmp_path / "run" / trial.FOLDER / "SID" / trial.FILE_NAME
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(said.as_json()))
    (again,) = trial.below(tmp_path / "run")
    assert shown(again) == shown(said)
    path.write_text(json.dumps({**said.as_json(), "test": {}}))
    with pytest.raises(UserError, match=r"verification\.json: not what this version's --verify keeps"):
        trial.read(path)


@pytest.mark.slow
def test_from_rows_to_regret_with_real_heads(write_run, tmp_path, speech, capsys, monkeypatch):
    """Speaker identification on a network of three taps; then the written configurations run, too."""
    network = small.small_config(dim=16, layers=(2,), ratios=())
    checkpoint = small.write_random_checkpoint(tmp_path / "plain.pt", network)
    suite = {"corpus": speech, "analyses": {"cca": {}}, "tasks": {"SID": SID}}
    taps = ["mid.pre", "mid.layer0", "mid.layer1"]
    folder = write_run(tmp_path / "run", means=[0.2, 0.5, 0.3], measures=["cca_speaker"], suite=suite, taps=taps)
    arguments = folder / "args_2026-01-01-00-00-00.yaml"
    said = yaml.safe_load(arguments.read_text())
    arguments.write_text(yaml.safe_dump({**said, "upstream_ckpt": str(checkpoint)}))
    monkeypatch.chdir(tmp_path)
    words = ["select", str(folder), "--task", "SID"]

    verification = [*words, "--verify", "--json", "--lr", "1e-2,1e-1", "--seeds", "1,2,3", "--device", "cpu"]
    assert commands.main(verification) == 0
    shown = capsys.readouterr()
    record = json.loads(shown.out)
    (said,) = trial.below(folder)
    assert (said.selected, said.failed, said.taps) == ("mid.layer0", {}, taps)
    assert all(0 <= said.dev[tap] <= 1 and said.rates[tap] in (1e-2, 1e-1) for tap in taps)
    assert record["lead"][1].startswith("SID: accuracy on test")
    for tap in (*taps, SUM):  # what happened to single utterances adds up to the score
        assert [1 - np.mean(each) for each in said.errors[tap]] == pytest.approx(said.test[tap])
    assert "16 of 16: mid.layer1" in shown.err
    stored = list((folder / "select" / "store").glob("*/index.json"))
    assert len(stored) == 1  # of one upstream
    logs = {path.parts[-4]: path.read_text() for path in sorted(folder.glob("select/SID/heads/*/*/seed1/log.txt"))}
    assert " 0 computed" in logs["mid.layer0"].rpartition("[suite] SID: features of")[2]  # the sum left them there

    assert commands.main(verification) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == record
    assert commands.main(["select", str(folder), "--verified"]) == 0
    assert "SID: do measures guide, and does one layer match all?" in capsys.readouterr().out
    assert "1 of 16" not in shown.err  # nothing was run again

    for way in ([], ["--fine-tune", "cut"], ["--fine-tune", "reset"], ["--fine-tune", "freeze"]):
        path = tmp_path / f"{'_'.join(way)}x.yaml"
        assert commands.main([*words, *way, "-o", str(path), "--json"]) == 0
        written = json.loads(capsys.readouterr().out)["run"]["command"].split()
        assert written[:3] == ["python", "-m", "s3prl_plugin.run_downstream"]
        out = tmp_path / f"{'_'.join(way)}out"
        run = ["run", *written[3:-1], str(out), "--device", "cpu"]
        assert commands.main(run) == 0
        capsys.readouterr()
        (row,) = [row for row in results.read(out) if row.measure == "SID" and row.headline]
        assert row.value is not None
        assert ("-f" in row.features) == bool(way)
