"""ABX, words, boundaries, CCA, MI, probes, a task in one run that ends on the page; ABX decides where it is alone."""

import entry_point
import pytest
import tap_rows

from s3prl_plugin import results
from s3prl_plugin.commands import main
from s3prl_plugin.report.tables import label
from s3prl_plugin.select.choice import choose
from s3prl_plugin.select.criteria import criterion

MEASURES = ("abx_phone", "abx_word", "awd_word", "boundary_phone", "boundary_word", "cca_phone", "probe_phone")


@pytest.mark.slow
def test_one_pass_and_the_page(tmp_path, small_checkpoint):
    out = tmp_path / "out"
    options = [
        "config.suite.corpus='generated?speakers=8&utterances=24'",
        "config.suite.analyses.cca.measures=['cca_phone']",
        "config.suite.tasks.SID.override.runner.total_steps=4",
        "config.suite.tasks.SID.override.runner.eval_step=4",
        "config.suite.tasks.SID.override.runner.save_step=4",
        "config.suite.tasks.SID.override.runner.log_step=4",
        "config.suite.analyses.abx.permutations=2",
        "config.suite.analyses.abx.tokens=2",
    ]
    done = entry_point.run(
        "-m", "train", "-d", "suite", "-c", "suite/discrimination.yaml",
        "-u", "mr_hubert_local", "-k", small_checkpoint, "-p", out, "--device", "cpu", "-o", ",,".join(options),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("pass: 100%") <= 1, "one pass over the audio"
    rows = results.read(out)
    for measure in MEASURES:
        mine = [row for row in rows if row.measure == measure and row.headline]
        assert len({row.tap for row in mine}) == len(mine) == 11
        assert all(row.value is not None or len(row.refused) > 20 for row in mine)
    assert any(row.measure == "SID" for row in rows)
    assert main(["report", str(out), "-o", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    for measure in (*MEASURES, "SID"):
        assert measure in page


def test_the_lowest_error_is_the_best_layer():
    rows = tap_rows.layers([0.4, 0.2, 0.3, 0.45], "abx_phone", score="error")
    others = tap_rows.layers([0.1, 0.2, 0.3, 0.45], "abx_phone", score="error", subset="within")
    assert "abx_phone" in criterion("PR").measures
    assert choose([*rows, *others], "abx_phone").best.tap == rows[1].tap


def test_tables_name_what_is_not_the_usual_part():
    (usual,) = tap_rows.layers([0.2], "abx_phone", score="error")
    (within,) = tap_rows.layers([0.2], "abx_phone", score="error", subset="within")
    assert label(usual) == "abx_phone"
    assert label(within) == "abx_phone (within, given any)"
