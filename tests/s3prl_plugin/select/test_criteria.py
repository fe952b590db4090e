"""Every task has its criterion, as the papers and their absence have it."""

import pytest

from s3prl_plugin import config, superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.select.criteria import CRITERIA, WITHOUT, criterion


def test_every_task_of_superb_is_known():
    assert set(superb.tasks()) | {"SE", "SS"} == set(CRITERIA) | set(WITHOUT)


DOWNSTREAMS = ("cca", "mi", "abx")


def test_every_measure_can_be_measured():
    with_options = {
        name: config.packaged("downstream", name, "config.yaml").read_text() for name in ("cca", "mi", "abx", "probe")
    }
    for each in CRITERIA.values():
        for measure in each.measures:
            assert measure in with_options[measure.partition("_")[0]]


@pytest.mark.parametrize(
    ("task", "measures", "evidence"),
    [
        ("PR", ("cca_phone", "mi_phone", "abx_phone"), "by content"),
        ("QbE", ("cca_phone", "mi_phone", "abx_phone"), "by content"),
        ("ASR", ("cca_word", "cca_phone"), "reported"),
        ("IC", ("cca_word",), "reported"),
        ("SF", ("cca_word",), "reported"),
        ("KS", ("cca_word", "cca_phone"), "by analogy"),
        ("SID", ("cca_speaker", "probe_speaker"), "unverified"),
        ("ASV", ("cca_speaker", "probe_speaker"), "unverified"),
        ("SD", ("cca_speaker", "probe_speaker"), "unverified"),
        ("SE", ("cca_mel",), "weak"),
        ("SS", ("cca_mel",), "weak"),
    ],
)
def test_by_what_a_tap_is_chosen(task, measures, evidence):
    for name in (task, task.lower()):
        found = criterion(name)
        assert (found.task, found.measures, found.evidence) == (task, measures, evidence)


def test_for_emotions_none_is_chosen():
    with pytest.raises(UserError, match=r"ER: no measure here is known .* the weighted sum"):
        criterion("er")


@pytest.mark.parametrize(("wrong", "meant"), [("asrr", "'ASR'"), ("SIT", "'SID'"), ("qb", "'QbE'")])
def test_a_wrong_name_is_told_the_right_one(wrong, meant):
    with pytest.raises(UserError, match=f"--task {wrong}: there is no such task; did you mean {meant}"):
        criterion(wrong)


def test_a_name_like_none_is_told_all():
    with pytest.raises(UserError, match="known: PR, QbE, ASR"):
        criterion("translation")
