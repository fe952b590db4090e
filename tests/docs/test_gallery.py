"""Every page of the gallery is what its rows make of it, and its rows hold what it claims."""

import dataclasses
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import s3prl_plugin
from s3prl_plugin.errors import UserError

s3prl_plugin.register()
FOLDER = Path(__file__).parents[2] / "docs" / "gallery"
_found = importlib.util.spec_from_file_location("gallery", FOLDER / "build.py")
build = importlib.util.module_from_spec(_found)
sys.modules["gallery"] = build
_found.loader.exec_module(build)
PAGES = build.names()


@pytest.fixture(scope="module", params=PAGES)
def page(request):
    return build.page(request.param)


def test_there_are_pages():
    assert "whisper_tiny_en" in PAGES


def test_the_page_is_what_its_rows_make_of_it(page):
    assert (FOLDER / f"{page.name}.md").read_text() == page.text()


def test_the_picture_is_what_its_rows_make_of_it(page, tmp_path):
    page.draw(tmp_path / "drawn.png")
    files = tmp_path / "drawn.png", FOLDER / f"{page.name}.png"
    drawn, there = (np.asarray(Image.open(file).convert("RGB")) / 255 for file in files)
    assert np.abs(np.subtract(drawn.shape, there.shape)).max() < 40  # fonts differ a little from machine to machine
    height, width = (min(sizes) for sizes in list(zip(drawn.shape, there.shape, strict=True))[:2])
    assert np.abs(drawn[:height, :width] - there[:height, :width]).mean() < 0.05


def test_rows_are_small_and_name_no_place_on_a_machine(page):
    rows = FOLDER / f"{page.name}.jsonl"
    assert rows.stat().st_size < 300_000
    for path in (rows, FOLDER / f"{page.name}.md", FOLDER / f"{page.name}.yaml"):
        assert not re.search(r"(?<![\w.])/(home|root|tmp|work|data|mnt|Users)/", path.read_text()), path


def test_numbers_on_the_page_are_those_of_the_file(page):
    """Read without this package: bold cells are the best of their line."""
    lines = [json.loads(line) for line in (FOLDER / f"{page.name}.jsonl").read_text().splitlines()]
    rows = [line for line in lines if "measure" in line]
    values = {(row["run"], row["measure"], row.get("tap")): row.get("value") for row in rows}
    text = page.text()
    heads, checked = None, 0
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")] if line.startswith("|") else []
        if line.startswith("|") and "`" in line and "," not in cells[0]:
            heads = re.findall(r"`([^`]+)`", line)
        elif cells and "," in cells[0] and heads:
            measure, run = cells[0].split(", ")
            numbers = [values[run, measure, tap] for tap in heads]
            for cell, number in zip(cells[1:], numbers, strict=True):
                shown = re.match(r"\**(\.\d+)\**", cell)
                assert float(shown[1]) == pytest.approx(number, abs=5.1e-4)
                assert cell.startswith("**") == (number == max(numbers))
                checked += 1
    assert checked > 10


def test_a_page_whose_rows_do_not_hold_its_claim_is_not_built(page):
    better, worse = page.head["holds"][0].split(" > ")
    turned = dataclasses.replace(page, head={**page.head, "holds": [f"{worse} > {better}"]})
    with pytest.raises(UserError, match="do not hold what the page claims"):
        turned.text()


def test_what_is_not_there_is_said_in_a_line(page, capsys):
    assert build.main(["no_such_page"]) == 2
    assert "no_such_page: no page of the gallery" in capsys.readouterr().err
    for wrong, reason in (
        ("score nobody cca_phone x", "no run nobody"),
        ("best whisper no_measure", "has no no_measure"),
    ):
        with pytest.raises(UserError, match=reason):
            dataclasses.replace(page, body=f"{{{{ {wrong} }}}}").text()
