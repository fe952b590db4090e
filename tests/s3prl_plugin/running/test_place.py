"""What the status line says, from bars that move as s3prl's do."""

import pytest

from s3prl_plugin.running.place import Pace, SuitePlace


def train(place, steps, seconds_each, start_s=0.0, total=100, first=0):
    """s3prl's bar: drawn at 0 when it is made, then after every step."""
    place.see("overall", 0, total, start_s)
    for i in range(1, steps + 1):
        place.see("overall", first + i, total, start_s + i * seconds_each)
    return start_s + steps * seconds_each


def test_the_time_left_is_that_of_the_steps_to_come():
    place = SuitePlace()
    place.begin("[1/1] KS")
    now_s = train(place, 20, 1.5)
    assert place.left_s(now_s) == pytest.approx(80 * 1.5)
    assert place.text(now_s) == "[1/1] KS: step 20/100, 2:00 left"


def test_steps_of_an_earlier_run_do_not_make_it_look_fast():
    place = SuitePlace()
    place.begin("KS")
    now_s = train(place, 10, 2.0, first=50)
    assert place.left_s(now_s) == pytest.approx(40 * 2.0)


def test_the_first_step_with_all_that_is_set_up_before_it_is_left_out():
    pace = Pace()
    for done, now_s in [(0, 0.0), (1, 60.0), (2, 61.0), (3, 62.0)]:
        pace.see(done, 10, now_s)
    assert pace.left_s() == pytest.approx(7.0)


def test_nothing_is_said_of_what_nobody_knows():
    place = SuitePlace()
    place.begin("KS")
    assert place.text(0.0) == "KS"
    place.see("overall", 0, 100, 0.0)
    place.see("overall", 1, 100, 9.0)
    assert place.text(9.0) == "KS: step 1/100"


def test_an_evaluation_shows_beside_the_steps_until_they_go_on():
    place = SuitePlace()
    place.begin("KS")
    now_s = train(place, 50, 1.0)
    place.see("train", 3, 9, now_s)  # the epoch: nobody counts in epochs
    place.see("dev", 2, 30, now_s + 1)
    place.see("dev", 12, 30, now_s + 2)
    assert place.text(now_s).startswith("KS: step 50/100, dev 12/30, ")
    place.see("overall", 51, 100, now_s + 5)
    assert "dev" not in place.text(now_s + 5)


def test_of_a_trained_task_that_is_scored_the_time_is_that_of_the_scoring():
    place = SuitePlace()
    place.begin("KS")
    now_s = train(place, 100, 1.0)
    for n in range(5):
        place.see("test", n, 30, now_s + 2.0 * n)
    assert place.left_s(now_s) == pytest.approx((30 - 4) * 2.0)


def test_a_task_of_folds_counts_all_of_them():
    place = SuitePlace()
    place.begin("ER")
    place.begin_part("fold2", 2, 5, 0.0)
    now_s = train(place, 40, 0.5)
    assert place.left_s(now_s) == pytest.approx((60 + 3 * 100) * 0.5)
    assert place.text(now_s) == "ER: fold2 (2 of 5), step 40/100, 3:00 left"


def test_parts_without_steps_take_as_long_as_those_before():
    place = SuitePlace()
    place.begin("QbE")
    for number, now_s in [(1, 0.0), (2, 10.0), (3, 30.0)]:  # the first took 10 s, the second 20 s
        place.begin_part(f"layer {number}", number, 6, now_s)
    assert place.left_s(34.0) == pytest.approx(4 * 15.0 - 4.0)


def test_the_suite_s_time_is_that_of_the_present_task_and_of_those_after_it():
    place = SuitePlace()
    place.begin("[2/3] KS", 300.0)
    now_s = train(place, 80, 1.0, total=200)
    assert place.text(now_s) == "[2/3] KS: step 80/200, 2:00 left · suite: about 7 min left"
    for others_s in (None, 0.0):
        place.begin("[3/3] SID", others_s)
        now_s = train(place, 150, 1.0, now_s, total=300)
        assert place.text(now_s) == "[3/3] SID: step 150/300, 2:30 left"


def test_bytes_are_counted_in_mega():
    place = SuitePlace()
    place.begin("loading a_model")
    place.see("B", 120_000_000, 380_000_000, 0.0)
    assert place.text(0.0) == "loading a_model: B 120M/380M"
