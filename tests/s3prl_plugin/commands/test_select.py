"""`s3prl-plugin select`: what is printed, as text and as JSON, and what is refused."""

import json
import subprocess
import sys

import pytest
import tap_rows

from s3prl_plugin import commands, results
from s3prl_plugin.inference.folders import remember

PEAK = [0.20, 0.22, 0.25, 0.30, 0.40, 0.32, 0.30, 0.25, 0.20]


def write(folder, *measures, means=PEAK, **changes):
    rows = [row for i, name in enumerate(measures) for row in tap_rows.layers(means, name, seed=i, **changes)]
    results.write(folder, rows)
    return str(folder)


@pytest.fixture
def run(tmp_path):
    return write(tmp_path / "run", "cca_phone", "mi_phone")


def ended(words, capsys):
    status = commands.main(["select", *words])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_the_tap_its_equals_and_the_evidence_are_printed(run, capsys):
    status, out, _ = ended([run, "--task", "PR"], capsys)
    assert status == 0
    assert "PR, phone recognition: chosen by cca_phone and mi_phone and abx_phone. Evidence: by content" in out
    (line,) = [line for line in out.splitlines() if line.endswith("<- take this")]
    assert line.startswith("mid.layer0 ")
    assert "take mid.layer0: " in out
    assert "cca_phone: best mid.layer0; every other tap is worse" in out
    assert "chosen on half of the folds and scored on the others" in out
    assert "-u mr_hubert_local -k CKPT" in out  # the folder does not say which
    assert "-s hidden_states -l 4" in out


def test_json_is_an_object_per_upstream(run, tmp_path, capsys):
    other = write(tmp_path / "other", "cca_phone", "mi_phone", means=PEAK[::-1])
    status, out, _ = ended([run, other, "--task", "PR", "--json"], capsys)
    assert status == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["folder"] for record in records] == [run, other]
    first = records[0]
    assert (first["tap"], first["tap_index"], first["stride"]) == ("mid.layer0", 4, 640)
    assert first["evidence"] == "by content"
    assert first["measures_agree"] is True
    (measure, _) = first["measures"]
    assert (measure["best"], measure["not_told_apart"]) == ("mid.layer0", ["mid.layer0"])
    assert measure["held_out"]["ci_low"] < measure["held_out"]["value"] < measure["held_out"]["ci_high"]
    assert len(measure["taps"]) == 9
    assert first["run"]["flags"] == ["-s", "hidden_states", "-l", "4"]
    assert first["run"]["upstream_options"] == {"stop_at": "mid.layer0"}


def test_disagreement_is_said(tmp_path, capsys):
    folder = tmp_path / "run"
    write(folder, "cca_phone")
    write(folder, "mi_phone", means=[0.5, *PEAK[1:]])
    _, out, _ = ended([str(folder), "--task", "PR"], capsys)
    assert "THE MEASURES DISAGREE: mid.layer0 by cca_phone and enc0.pre by mi_phone" in out


def test_a_missing_measure_is_told_with_the_command_that_measures_it(run, capsys):
    status, out, _ = ended([run, "--task", "SID"], capsys)
    assert status == 1
    (line,) = [line for line in out.splitlines() if line.startswith("cca_speaker is not in the results")]
    assert f"-m evaluate -d cca -u mr_hubert_local -k CKPT -p {run} -o " in line
    assert line.endswith("\"config.downstream_expert.measures=['cca_speaker']\"")
    assert "take this" not in out


@pytest.fixture
def of_study(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, "cca_word", means=PEAK if name == "one" else PEAK[::-1])
    remember(tmp_path, ["two", "one"])
    return str(tmp_path)


def test_a_study_gives_a_choice_per_upstream_in_its_order(of_study, capsys):
    _, out, _ = ended([of_study, "--task", "KS", "--json"], capsys)
    assert [json.loads(line)["folder"].rpartition("/")[2] for line in out.splitlines()] == ["two", "one"]


def test_one_upstream_of_a_study_can_be_named(of_study, capsys):
    _, out, _ = ended([of_study, "--task", "KS", "--upstream", "one"], capsys)
    assert out.count("take this") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--task", "SIT"], "--task SIT: there is no such task; did you mean 'SID'?"),
        (["--task", "ER"], "ER: no measure here is known to tell which tap is good"),
        (["--task", "PR", "--dry-run"], "--dry-run says what --verify would train: give --verify"),
        (["--task", "PR", "--seeds", "1", "--steps", "3"], "--steps 3: it is about the heads of --verify"),
        (["--task", "PR", "--seeds", "1"], "--seeds 1: it is about the heads of --verify"),
        (["--task", "PR", "--verify", "--fine-tune"], "leave out --fine-tune"),
        (["--task", "PR", "--corpus", "generated"], "give -o FILE.yaml, too"),
        (["--task", "PR", "--upstream", "one_"], "--upstream one_: not in these results; "),
        (["--task", "PR", "--verify"], "does not say which checkpoint -u mr_hubert_local had"),
        (["--task", "SID", "--verify"], "cca_speaker is not in the results; measure it"),
        (["--task", "PR", "-o", "/dev/null/a.yaml", "--corpus", "generated"], "/dev/null/a.yaml cannot be written: "),
        (["--task", "PR", "-o", "head.txt"], "-o head.txt: a configuration is YAML"),
        (["--task", "PR", "--verify", "--seeds", "a"], "--seeds a: give numbers above 0, separated by commas"),
    ],
)
def test_mistakes_are_told_in_one_line(run, capsys, words, told):
    status, _, err = ended([run, *words], capsys)
    assert status == 2
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert told in line


def test_a_file_is_about_one_upstream(of_study, capsys):
    status, _, err = ended([of_study, "--task", "KS", "-o", "head.yaml"], capsys)
    assert status == 2
    assert "name one by --upstream: two, one" in err


def test_no_results_and_no_folder(tmp_path, capsys):
    assert ended([str(tmp_path), "--task", "PR"], capsys)[0] == 2
    (tmp_path / results.FILE_NAME).write_text("")
    status, _, err = ended([str(tmp_path), "--task", "PR"], capsys)
    assert status == 2
    assert "no rows" in err


def test_two_upstreams_in_one_folder_are_refused(tmp_path, capsys):
    write(tmp_path, "cca_phone")
    write(tmp_path, "cca_word", upstream="hubert_base")
    status, _, err = ended([str(tmp_path), "--task", "PR"], capsys)
    assert status == 2
    assert "holds results of several upstreams (mr_hubert_local (trained), hubert_base (trained))" in err


def test_choosing_loads_no_model(run):
    program = (
        "import sys; from s3prl_plugin import commands; "
        f"status = commands.main(['select', {run!r}, '--task', 'PR']); "
        "sys.exit(status or 'torch' in sys.modules or 's3prl' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
