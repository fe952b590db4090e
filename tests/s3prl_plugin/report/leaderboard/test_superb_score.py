"""superb_s against its formula, written out by hand."""

import pytest

from s3prl_plugin import superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.report.leaderboard.superb_score import about, columns, missing_tasks, reference_tasks, superb_s

NAMES = ("PR PER", "ASR WER", "KS acc", "QbE MTWV", "SID acc", "ASV EER", "SD DER", "IC acc", "SF F1", "SF CER")
NAMES += ("ER acc",)


def row(*scores):
    return dict(zip(NAMES, scores, strict=True))


# The reference points of the leaderboard's own code since 2021-09-30, and rows of its table.
FBANK = row(82.01, 23.18, 41.3826674, 0.0058, 20.058174, 9.56, 10.05, 9.649354219, 69.64, 52.94, 48.23672168)
BEST = row(3.53, 3.62, 96.66, 0.0736, 90.3, 5.11, 5.62, 98.76, 89.81, 21.76, 67.62)
HUBERT_BASE = row(5.41, 6.42, 96.30, 0.0736, 81.42, 5.11, 5.88, 98.34, 88.53, 25.20, 64.92)
HUBERT_LARGE = row(3.53, 3.62, 95.29, 0.0353, 90.33, 5.98, 5.75, 98.76, 89.81, 21.76, 67.62)
WAV2VEC2_BASE = row(5.74, 6.43, 96.23, 0.0233, 75.18, 6.02, 6.08, 92.35, 88.30, 24.77, 63.43)


@pytest.mark.parametrize(
    ("scores", "points"), [(FBANK, 0), (BEST, 1000), (HUBERT_BASE, 941), (HUBERT_LARGE, 919), (WAV2VEC2_BASE, 818)]
)
def test_published_rows_have_the_leaderboards_points(scores, points):
    assert round(superb_s(scores)) == points


def test_hubert_base_by_hand():
    shares = [
        (82.01 - 5.41) / (82.01 - 3.53),
        (23.18 - 6.42) / (23.18 - 3.62),
        (96.30 - 41.3826674) / (96.66 - 41.3826674),
        1,
        (81.42 - 20.058174) / (90.3 - 20.058174),
        1,
        (10.05 - 5.88) / (10.05 - 5.62),
        (98.34 - 9.649354219) / (98.76 - 9.649354219),
        ((88.53 - 69.64) / (89.81 - 69.64) + (52.94 - 25.20) / (52.94 - 21.76)) / 2,
        (64.92 - 48.23672168) / (67.62 - 48.23672168),
    ]
    assert superb_s(HUBERT_BASE) == pytest.approx(1000 * sum(shares) / 10)


@pytest.mark.parametrize("name", NAMES)
def test_without_one_score_there_is_none(name):
    scores = {other: score for other, score in HUBERT_BASE.items() if other != name}
    assert superb_s(scores) is None
    assert missing_tasks(scores) == (name.partition(" ")[0],)
    assert missing_tasks(HUBERT_BASE) == ()


def test_the_tasks_are_ten_and_no_row_is_of_unknown_source():
    assert reference_tasks() == ("PR", "ASR", "KS", "QbE", "SID", "ASV", "SD", "IC", "SF", "ER")
    assert about()["upstreams"] == ["FBANK", "best published", "HuBERT Base", "HuBERT Large", "wav2vec 2.0 Base"]


@pytest.mark.parametrize("column", columns(), ids=lambda column: column.name)
def test_a_column_is_a_score_of_its_task(column):
    (score,) = [score for score in superb.task(column.task).scores if column.score in (score.name, score.own)]
    assert score.higher_is_better == column.higher_is_better
    assert column.converted(0.25, score.unit) == {"fraction": 25, "percent": 0.25, "MTWV": 0.25}[score.unit]


def test_every_headline_has_a_column():
    headlines = {(task.name, task.headline.name) for task in superb.tasks().values()}
    assert headlines <= {(column.task, column.score) for column in columns()}


def test_another_unit_is_refused():
    with pytest.raises(UserError, match="'dB' is no score of PR PER"):
        columns()[0].converted(1.0, "dB")
