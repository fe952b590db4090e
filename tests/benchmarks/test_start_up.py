"""`python -m benchmarks start_up`: that it measures the processor time of other processes."""

import sys
import time

import pytest

from benchmarks import start_up
from benchmarks.ratios import Measuring
from s3prl_plugin.errors import UserError


def test_the_time_is_that_of_the_processor(tmp_path):
    busy = "import time\nwhile time.process_time() < .3: pass"
    assert 0.25 < start_up._spent(("-c", busy), str(tmp_path)) < 3
    start = time.perf_counter()
    idle = start_up._spent(("-c", "import time; time.sleep(.5)"), str(tmp_path))
    assert idle < time.perf_counter() - start - 0.3
    with pytest.raises(UserError, match=f"{sys.executable} -c 1/0: .*ZeroDivisionError"):
        start_up._spent(("-c", "1/0"), str(tmp_path))


@pytest.mark.slow
def test_every_command_is_compared_with_torch():
    found = list(start_up.measure(Measuring(quick=True, rounds=1)))
    assert [each.name for each in found] == ["ls measures", "ls upstreams --all", "run --help", "report", "select"]
    assert all(each.value > 1 for each in found), "less than importing torch"
