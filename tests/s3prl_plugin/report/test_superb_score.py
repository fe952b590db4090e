"""superb_s against its formula, written out by hand."""

import pytest

from s3prl_plugin import superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.report.superb_score import columns, complete_tasks, superb_s

FBANK = {"PR PER": 82.01, "ASR WER": 23.18, "KS acc": 8.63, "QbE MTWV": 0.0058, "SID acc": 0.00085, "ASV EER": 9.56}
FBANK |= {"SD DER": 10.05, "IC acc": 9.10, "SF F1": 69.64, "SF CER": 52.94, "ER acc": 35.39}
HUBERT = {"PR PER": 5.41, "ASR WER": 6.42, "KS acc": 96.30, "QbE MTWV": 0.0736, "SID acc": 81.42, "ASV EER": 5.11}
HUBERT |= {"SD DER": 5.88, "IC acc": 98.34, "SF F1": 88.53, "SF CER": 25.20, "ER acc": 64.92}
WAVLM = {"PR PER": 3.06, "ASR WER": 3.44, "KS acc": 97.86, "QbE MTWV": 0.0886, "SID acc": 95.49, "ASV EER": 3.77}
WAVLM |= {"SD DER": 3.24, "IC acc": 99.31, "SF F1": 92.21, "SF CER": 18.36, "ER acc": 70.62}


def test_fbank_has_0_and_the_best_1000():
    assert superb_s(FBANK)[0] == pytest.approx(0)
    assert superb_s(WAVLM)[0] == pytest.approx(1000)


def test_hubert_base_by_hand():
    shares = [
        (82.01 - 5.41) / (82.01 - 3.06),
        (23.18 - 6.42) / (23.18 - 3.44),
        (96.30 - 8.63) / (97.86 - 8.63),
        (0.0736 - 0.0058) / (0.0886 - 0.0058),
        (81.42 - 0.00085) / (95.49 - 0.00085),
        (9.56 - 5.11) / (9.56 - 3.77),
        (10.05 - 5.88) / (10.05 - 3.24),
        (98.34 - 9.10) / (99.31 - 9.10),
        ((88.53 - 69.64) / (92.21 - 69.64) + (52.94 - 25.20) / (52.94 - 18.36)) / 2,
        (64.92 - 35.39) / (70.62 - 35.39),
    ]
    value, tasks = superb_s(HUBERT)
    assert value == pytest.approx(1000 * sum(shares) / 10)
    assert len(tasks) == 10


def test_over_the_tasks_that_are_there():
    value, tasks = superb_s({"KS acc": HUBERT["KS acc"], "PR PER": WAVLM["PR PER"]})
    assert value == pytest.approx(1000 * (1 + (96.30 - 8.63) / (97.86 - 8.63)) / 2)
    assert tasks == ("PR", "KS")


def test_a_task_with_a_score_missing_does_not_count():
    assert superb_s({"SF F1": 88.0}) is None
    assert complete_tasks({"SF F1": 88.0, "ER acc": 60.0}) == ("ER",)
    assert superb_s({}) is None


@pytest.mark.parametrize("column", columns(), ids=lambda column: column.name)
def test_a_column_is_a_score_of_its_task(column):
    (score,) = [score for score in superb.task(column.task).scores if score.name == column.score]
    assert score.higher_is_better == column.higher_is_better
    assert column.converted(0.25, score.unit) == {"fraction": 25, "percent": 0.25, "MTWV": 0.25}[score.unit]


def test_every_headline_has_a_column():
    headlines = {(task.name, task.headline.name) for task in superb.tasks().values()}
    assert headlines <= {(column.task, column.score) for column in columns()}


def test_another_unit_is_refused():
    with pytest.raises(UserError, match="'dB' is no score of PR PER"):
        columns()[0].converted(1.0, "dB")
