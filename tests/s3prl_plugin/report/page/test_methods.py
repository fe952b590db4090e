"""The paragraph on methods has the numbers of the results, and only what was used is to be cited."""

import re

import page_rows
import pytest

from s3prl_plugin.report.page import methods, models
from s3prl_plugin.report.page.panels import panels


@pytest.fixture
def folder(tmp_path):
    rows = page_rows.layers("mr_hubert_base") + page_rows.layers("mr_hubert_base", "mi_phone", n=777)
    (lost,) = page_rows.refused(rows[2:3])
    return page_rows.write(tmp_path / "run", [*rows[:2], lost, *rows[3:]], speakers=52)


def section(folder):
    found = models.read([folder])
    return methods.section(found, [row for panel in panels(found) for row in panel.rows])


def test_the_numbers_are_filled_in(folder):
    (text,) = section(folder).lead
    for said in ("mr_hubert_base", "52 speakers", "15 taps", "every 20, 40 ms", "one-hot phones of segments",
                 "cca_phone, n = 5,000", "mi_phone, n = 777", "8 folds by speaker", "1 of 30 numbers were refused",
                 "jackknife"):  # fmt: skip
        assert said in text
    assert "SUPERB" not in text


def test_what_was_used_is_cited_once_and_nothing_else(folder):
    keys = re.findall(r"^@\w+\{(\w+),", section(folder).code, re.MULTILINE)
    assert set(keys) == {"kornblith2019similarity", "vinh2010information", "shi2024multiresolution"}
    assert len(keys) == 3
    page_rows.write(folder, page_rows.task("mr_hubert_base"))
    assert "yang2021superb" in section(folder).code


def test_the_newest_command_is_shown_with_its_date(folder):
    assert section(folder).tables == ()
    lines = [f"2026-01-0{day} 10:00:00 ---- python -m s3prl_plugin.run_downstream --seed {day}" for day in (1, 2)]
    (folder / "log.txt").write_text("\n".join([lines[0], "2026-01-01 10:00:01 [cca] at work", lines[1]]) + "\n")
    (table,) = section(folder).tables
    shown = dict(zip(table.names, [cell.value for cell in table.cells[0]], strict=True))
    assert (shown["date"], shown["command"]) == (lines[1][:19], lines[1][25:])


def test_a_run_without_a_log_is_told_by_its_arguments(folder):
    said = "mode: evaluate\ndownstream: cca\nupstream: fbank\nupstream_ckpt: null\nseed: 1337\nconfig: a/cca.yaml\n"
    (folder / "args_2026-01-02-03-04-05.yaml").write_text(said)
    (run,) = methods.runs_in(folder)
    assert run == (
        "2026-01-02 03:04:05",
        "s3prl-plugin run -m evaluate -d cca -c a/cca.yaml -u fbank --seed 1337",
        "cca.yaml",
    )
    (folder / "args_2026-01-02-03-04-05.yaml").write_text("!!python/object/apply:os.system [x]")
    assert methods.runs_in(folder) == [("2026-01-02 03:04:05", "s3prl-plugin run", "")]
