import planted
import pytest

from s3prl_plugin.analysis.planning.crowding import Crowding
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.report import tables
from s3prl_plugin.states.taps import Tap


@pytest.fixture(scope="module")
def plan():
    return Plan(planted.corpus(), seed=0)


def rows_of(plan, unit, **options):
    sample = plan.sample(unit, None)
    (rows,) = Crowding(sample, [640, 320, 1280, 320], RowMaker("cca", {}, plan), **options).compute()
    return sample, rows


def frames_of(sample, position, stride):
    """The frames that a segment is averaged over, as the alignment has them."""
    first, last = sample.alignment.frames([position], stride)
    return set(range(first[0], last[0]))


@pytest.mark.parametrize("unit", ["phone", "word"])
def test_rows_count_segments_one_by_one(plan, unit):
    sample, rows = rows_of(plan, unit)
    found = {(row.score, row.stride): row for row in rows}
    assert len(found) == len(rows) == 6
    alignment = sample.alignment
    for (score, stride), row in found.items():
        count = 0
        for position in sample.segment:
            mine = frames_of(sample, position, stride)
            if score == "outside":
                start, end = alignment.start[position], alignment.end[position]
                count += min(mine) * stride < start or (max(mine) + 1) * stride > end
            else:
                beside = [p for p in (position - 1, position + 1) if 0 <= p < len(alignment)]
                beside = [p for p in beside if alignment.utterance[p] == alignment.utterance[position]]
                count += any(mine & frames_of(sample, p, stride) for p in beside)
        assert row.value * len(sample) == pytest.approx(count)
        assert (row.measure, row.tap, row.n, row.headline) == (f"grid_{unit}", None, len(sample), False)
    assert found["outside", 1280].value > found["outside", 320].value


def test_weighted_frames_are_named(plan):
    _, rows = rows_of(plan, "phone", weights="overlap")
    assert {row.segments for row in rows} == {"overlap"}
    assert len({row.identity for row in rows} | {row.identity for row in rows_of(plan, "phone")[1]}) == 12


def test_a_report_of_layers_and_tasks_is_not_disturbed(plan):
    tap = Tap(0, "enc0", "enc0", "out", 320, 8)
    score = RowMaker("cca", {}, plan).row(tap, "cca_phone", "r2", headline=True, value=0.5)
    grid = rows_of(plan, "phone")[1]
    assert tables.layer_table([score, *grid]) == tables.layer_table([score])
    assert tables.task_table([score, *grid]).rows == ()
    assert tables.of_run([score, *grid]) == tables.of_run([score])


def test_no_segments_no_rows():
    plan = Plan(planted.corpus(words=False), seed=0)
    assert rows_of(plan, "word")[1] == []
