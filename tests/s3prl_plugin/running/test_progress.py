"""The display: one line on a terminal, plain lines elsewhere, and bars that are seen and not drawn."""

import io
import re
import sys

import pytest
from tqdm import tqdm

from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.running import progress
from s3prl_plugin.running.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(folder, stream):
    """A suite of one task: what its bars draw."""
    with replaced(sys, stdout=stream, stderr=stream), Progress(folder) as display:
        display.begin("[1/1] KS")
        print("s3prl says much")
        with (
            tqdm(total=50, desc="overall", mininterval=0, miniters=1) as steps,
            tqdm(total=5, desc="train", mininterval=0, miniters=1) as epoch,
        ):
            for i in range(50):
                steps.update()
                if not i % 10:
                    epoch.update()
        print("[suite] KS: accuracy 0.5")
    return stream.getvalue()


def screen(written):
    """What a terminal shows of it: carriage returns overwrite."""
    shown = []
    for line in written.split("\n"):
        cells = ""
        for piece in line.split("\r"):
            cells = piece + cells[len(piece) :]
        shown.append(cells.rstrip())
    return shown


def test_on_a_terminal_there_is_one_line_which_goes_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "DRAWN_S", 0.0)
    written = run(tmp_path, Terminal())
    assert "[1/1] KS: step 30/50" in written
    assert "s3prl" not in written
    assert "it/s" not in written
    assert screen(written) == ["[suite] KS: accuracy 0.5", ""]


def test_elsewhere_there_are_plain_lines_and_few(tmp_path):
    written = run(tmp_path, io.StringIO())
    assert written == "[1/1] KS\n[suite] KS: accuracy 0.5\n"  # all within the interval of lines


def test_elsewhere_lines_tell_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_S", 0.0)
    written = run(tmp_path, io.StringIO())
    assert "[1/1] KS: step 50/50\n" in written
    assert re.search(r"[\x00-\x09\x0b-\x1f]", written) is None


def test_the_log_has_everything(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LOGGED_S", 0.0)
    run(tmp_path, io.StringIO())
    text = (tmp_path / "log.txt").read_text()
    for said in ("s3prl says much", "50/50", "[suite] KS: accuracy 0.5"):
        assert said in text


def test_bars_are_drawn_again_afterwards(tmp_path):
    run(tmp_path, io.StringIO())
    stream = io.StringIO()
    with tqdm(total=1, file=stream) as bar:
        bar.update()
    assert "1/1" in stream.getvalue()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_passes_and_all_is_as_before(tmp_path, error):
    before = sys.stdout, sys.stderr, tqdm.display
    with pytest.raises(error), Progress(tmp_path):
        raise error
    assert (sys.stdout, sys.stderr, tqdm.display) == before
    assert error.__name__ in (tmp_path / "log.txt").read_text()


def test_only_the_first_of_several_processes_speaks(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert run(tmp_path, Terminal()) == ""
    assert "accuracy" in (tmp_path / "log-rank1.txt").read_text()
