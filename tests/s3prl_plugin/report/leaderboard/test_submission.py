"""What is ready to be handed in, and what is wrong with what is not."""

import json
from dataclasses import replace

import board_rows
import pytest

from s3prl_plugin import results
from s3prl_plugin.commands import main
from s3prl_plugin.report.leaderboard import submission

# as s3prl's submit/submit.py (0.4.18) copies them: in the folder of every task -> in the archive, below predict/
FILES = {
    "PR/test-hyp.ark": "pr_public/predict.ark",
    "ASR/test-clean-noLM-hyp.ark": "asr_public/predict.ark",
    "KS/test_predict.txt": "ks_public/predict.txt",
    "QbE/benchmark.stdlist.xml": "qbe_public/benchmark.stdlist.xml",
    "SID/test_predict.txt": "sid_public/predict.txt",
    "ASV/test_predict.txt": "sv_public/predict.txt",
    "SD/scoring/predictions/*.h5": "sd_public/scoring/predictions/*.h5",
    "SD/frame_shift": "sd_public/frame_shift",
    "IC/test_predict.csv": "ic_public/predict.csv",
    "SF/test-hyp.ark": "sf_public/predict.ark",
    **{f"ER/fold{i}/test_fold{i}_predict.txt": f"er_fold{i}_public/predict.txt" for i in range(1, 6)},
}


@pytest.fixture
def run(tmp_path):
    """A folder with all ten tasks, ready to be handed in."""
    for file in FILES:
        path = tmp_path / file.replace("*", "mix_0000")
        path.parent.mkdir(parents=True, exist_ok=True)
        joint = "," if file.endswith(".csv") else " "
        path.write_text(f"one{joint}a b\ntwo{joint}c\n")
        for predicted, truth in (("predict.", "truth."), ("-hyp.", "-ref.")):
            if predicted in path.name:
                (path.parent / path.name.replace(predicted, truth)).write_text(path.read_text())
    (tmp_path / "SD" / "frame_shift").write_text("320\n")
    (tmp_path / "QbE" / "benchmark.stdlist.xml").write_text("<stdlist><detected_termlist/></stdlist>")
    results.write(tmp_path, board_rows.run("u", board_rows.BASE)[1])
    return tmp_path


def checked(folder):
    return {one.task: one for one in submission.check(folder, results.read(folder))}


def test_a_whole_run_is_ready(run, capsys):
    found = checked(run)
    assert {task: one.faults for task, one in found.items()} == dict.fromkeys(found, ())
    assert {file: name for one in found.values() for name, file in one.files.items()} == FILES
    assert main(["report", str(run), "--submission"]) == 0
    said = capsys.readouterr().out
    assert "10 of 10 tasks are ready" in said
    assert "sd_public/frame_shift  <-  SD/frame_shift" in said


@pytest.mark.parametrize(
    ("file", "content", "task", "fault"),
    [
        ("SD/frame_shift", None, "SD", "SD/frame_shift is missing: score the task again"),
        ("SD/frame_shift", "twenty", "SD", "frame_shift says 'twenty', and not how many samples a frame has"),
        ("SD/scoring/predictions/mix_0000.h5", None, "SD", "SD/scoring/predictions/*.h5 is missing"),
        ("PR/test-hyp.ark", "", "PR", "PR/test-hyp.ark is empty"),
        ("PR/test-hyp.ark", "one AA1 B\n", "PR", "PR/test-hyp.ark lacks 1 of the 2 names in test-ref.ark, as two"),
        ("IC/test_predict.csv", "two,a,b\n", "IC", "lacks 1 of the 2 names in test_truth.csv, as one"),
        ("ER/fold3/test_fold3_predict.txt", None, "ER", "ER/fold3/test_fold3_predict.txt is missing"),
        ("QbE/benchmark.stdlist.xml", "<stdlist>", "QbE", "is not XML"),
        ("QbE/benchmark.stdlist.xml", "<stdlist/>", "QbE", "holds no detected_termlist"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(run, capsys, file, content, task, fault):
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_text(content)
    found = checked(run)
    (said,) = found[task].faults
    assert fault in said
    assert [name for name, one in found.items() if one.faults] == [task]
    assert main(["report", str(run), "--submission", "--json"]) == 1
    assert fault in "".join(one["faults"][0] for one in json.loads(capsys.readouterr().out) if one["faults"])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"published_corpus": False, "corpus": "generated"}, "run on generated, which is not SUPERB's corpus"),
        ({"score": "per_own"}, "its score is per_own: not by SUPERB's rules, or with other labels"),
        ({"score": "per"}, "its score is per: not by SUPERB's rules"),
        ({"changed_settings": ["runner.total_steps"]}, "settings other than SUPERB's: runner.total_steps"),
    ],
)
def test_a_score_of_another_task_is_no_submission(run, changes, fault):
    rows = [replace(row, **changes) if row.measure == "PR" else row for row in results.read(run)]
    found = {one.task: one for one in submission.check(run, rows)}
    assert [said for said in found["PR"].faults if fault in said]
    assert found["KS"].faults == ()


def test_a_learning_rate_is_no_fault_and_what_was_not_run_is_one(run):
    rows = [row for row in results.read(run) if row.measure != "SID"]
    rows = [replace(row, changed_settings=["optimizer.lr=0.1 (published 0.0001)"]) for row in rows]
    found = {one.task: one for one in submission.check(run, rows)}
    assert found["SID"].faults == ("not run",)
    assert (found["KS"].faults, found["KS"].notes) == ((), ("learning rate 0.1 (published 0.0001): say so",))


def test_it_is_asked_of_one_folder_and_alone(run, capsys):
    for words in (["--table"], ["-o", "x.html"], ["--figures", "there"]):
        assert main(["report", str(run), "--submission", *words]) == 2
    assert main(["report", str(run), str(run), "--submission"]) == 2
    assert capsys.readouterr().err.count("error: --submission") == 4
