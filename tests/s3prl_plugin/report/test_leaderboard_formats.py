"""The leaderboard as it is read: text, Markdown, CSV and JSON say the same."""

import csv
import io
import json
import re

import board_rows
import pytest

from s3prl_plugin.report import text as renderer
from s3prl_plugin.report.leaderboard import data, sections, standings

run = board_rows.run
MADE = {"corpus": "generated", "corpus_kind": "generated", "published_corpus": False}
KNOWN = {"params": 97_390_000, "macs_per_s": 7.1e9, "pretraining": "LibriSpeech 960 h", "unit_iteration": 3}


@pytest.fixture
def boards():
    runs = [run("mine", {"PR": value, "KS": 0.9}, seed, **KNOWN) for seed, value in ((1, 0.05), (2, 0.07))]
    runs += [run("theirs", {"PR": 0.03, "KS": 0.8}), run("mine", {"PR": 0.001}, **MADE)]
    return standings.boards(runs)


def shown(boards, **style):
    return renderer.text(sections.sections(boards), **style)


def markdown_tables(text):
    """Every table as a list of dictionaries."""
    tables = []
    for block in re.split(r"\n\n", text):
        lines = [line.strip("|").split(" | ") for line in block.splitlines() if line.startswith("|")]
        if lines:
            header = [cell.strip() for cell in lines[0]]
            tables.append([dict(zip(header, (c.strip() for c in line), strict=True)) for line in lines[2:]])
    return tables


def test_markdown_marks_the_best_of_each_board(boards):
    text = shown(boards, markdown=True)
    real, made, about, _ = markdown_tables(text)
    assert {line["upstream"]: (line["PR PER % ↓"], line["KS acc % ↑"]) for line in real} == {
        "mine": ("6.00 ±1.41", "**90.00 ±0.00**"),
        "theirs": ("**3.00**", "80.00"),
    }
    assert [line["PR PER % ↓"] for line in made] == ["0.10"]
    assert "superb_s ↑" in real[0]
    assert "superb_s ↑" not in made[0]
    assert {line["upstream"]: line["pre-training data"] for line in about} == {
        "mine": "LibriSpeech 960 h",
        "theirs": "?",
    }


def test_the_terminal_marks_with_a_star_and_says_what_it_means(boards):
    text = shown(boards)
    assert re.search(r"^theirs .* 3\.00\*", text, re.MULTILINE)
    assert re.search(r"^mine .* 6\.00 ±1\.41 .*90\.00 ±0\.00\*", text, re.MULTILINE)
    for said in ("↑ higher is better, ↓ lower is better", "* the best of its column", "± standard deviation"):
        assert said in text


@pytest.mark.parametrize("markdown", [False, True])
def test_a_reader_is_warned(boards, markdown):
    text = re.sub(r"\s+", " ", shown(boards, markdown=markdown))
    assert "GENERATED SPEECH. A check of the software, not a finding" in text
    assert "no superb_s: it compares with scores on SUPERB's own corpora" in text
    assert "no superb_s, which is over all ten tasks: mine lacks ASR, QbE, SID, ASV, SD, IC, SF, ER" in text
    assert "1000 / |T| * sum" in text
    assert "superbbenchmark/website-react cacb90e" in text


def test_generated_speech_alone_needs_no_reference_scores():
    text = shown(standings.boards([run("mine", {"PR": 0.1}, **MADE)]))
    assert "published:" not in text
    assert "superb_s =" not in text


def test_equal_scores_are_not_marked():
    text = shown(standings.boards([run("a", {"PR": 0.1}), run("b", {"PR": 0.1})]))
    assert "10.00*" not in text


def test_superb_s_is_a_whole_number_beside_the_published_rows():
    boards = standings.boards([run("a", board_rows.BASE), run("b", {"PR": 0.1})])
    real, *_, references = markdown_tables(shown(boards, markdown=True))
    assert [(line["upstream"], line["superb_s ↑"], line["superb_r ↑"]) for line in real] == [
        ("a", "941", "0.10"),
        ("b", "-", "0.00"),
    ]
    assert {line["reference"]: line["superb_s ↑"] for line in references} == {
        "published: FBANK": "0",
        "published: best published": "1000",
        "published: HuBERT Base": "941",
        "published: HuBERT Large": "919",
        "published: wav2vec 2.0 Base": "818",
    }


def test_a_narrow_terminal_gets_the_columns_in_pieces(boards, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    wide = shown(boards).replace("wav2vec 2.0", "wav2vec")  # a name that stands in every piece
    monkeypatch.setenv("COLUMNS", "60")
    narrow = shown(boards).replace("wav2vec 2.0", "wav2vec")
    tables = [line for line in narrow.splitlines() if line.startswith(("mine", "theirs", "upstream", "published"))]
    assert max(map(len, tables)) <= 60
    assert max(map(len, wide.splitlines())) > 60
    assert sorted(re.findall(r"\d+\.\d+", narrow)) == sorted(re.findall(r"\d+\.\d+", wide))


def test_unpublished_settings_are_named():
    runs = [run("a", {"PR": 0.1, "KS": 0.5}, changed_settings=["downstream_expert.x", "runner.total_steps"])]
    text = shown(standings.boards(runs))
    assert "settings other than SUPERB's: a: PR, KS (x, total_steps)" in text
    assert "learning rate of its own" not in text


def test_a_learning_rate_is_named_and_not_blamed():
    runs = [run("a", {"PR": 0.1}, changed_settings=["optimizer.lr=0.1 (published 0.01)"]), run("b", {"PR": 0.2})]
    text = shown(standings.boards(runs))
    assert "learning rate of its own, which SUPERB leaves free: a: PR 0.1 (published 0.01)" in text
    assert "settings other than SUPERB's" not in text


def test_what_is_run_otherwise_than_by_the_recipe_is_said():
    text = shown(standings.boards([run("a", {"ER": 0.6})]))
    assert "ER acc: head and batches are drawn from --seed" in text
    assert "ER acc:" not in shown(standings.boards([run("a", {"KS": 0.6})]))


def test_csv_can_be_read_back(boards):
    lines = list(csv.DictReader(io.StringIO(data.to_csv(boards))))
    assert [(line["board"], line["upstream"]) for line in lines] == [
        (board.kind, entry.name) for board in boards for entry in board.entries
    ]
    found = {(line["board"], line["upstream"]): line for line in lines}
    mine, made = found["published", "mine"], found["generated", "mine"]
    assert float(mine["PR PER % (lower is better)"]) == pytest.approx(6)
    assert float(mine["PR PER % sd"]) == pytest.approx(2**0.5)
    assert (mine["PR PER % seeds"], mine["PR PER % rank"], made["PR PER % rank"]) == ("2", "2", "1")
    assert (mine["params"], float(mine["macs_for_1_s"]), mine["unit_iteration"]) == ("97390000", 7.1e9, "3")
    assert mine["superb_s"] == made["superb_s"] == mine["ASR WER % (lower is better)"] == ""
    assert mine["superb_s lacks"] == "ASR QbE SID ASV SD IC SF ER"
    assert (float(mine["superb_r"]), mine["superb_r tasks"]) == (0.5, "PR KS")
    assert (found["published", "theirs"]["pretraining"], found["published", "theirs"]["unit_iteration"]) == ("", "")


def test_json_can_be_read_back(boards):
    said = json.loads(data.to_json(boards))
    real, made = said["boards"]
    assert (real["kind"], made["kind"]) == ("published", "generated")
    mine = next(one for one in real["upstreams"] if one["name"] == "mine")
    assert mine["scores"]["PR PER"]["seeds"] == [1, 2]
    assert mine["scores"]["PR PER"] == {"value": 6, "sd": pytest.approx(2**0.5), "seeds": [1, 2], "rank": 2}
    assert mine["superb_s"] is None
    assert mine["superb_s_absent"] == "no ASR, QbE, SID, ASV, SD, IC, SF, ER"
    assert made["upstreams"][0]["superb_s"] is None
    assert made["upstreams"][0]["superb_s_absent"]
    assert said["superb_s"]["references"]["HuBERT Large"]["PR PER"] == 3.53
    full = json.loads(data.to_json(standings.boards([run("a", board_rows.BASE)])))
    assert full["boards"][0]["upstreams"][0]["superb_s"] == {"value": 941, "sd": None, "seeds": [1]}
