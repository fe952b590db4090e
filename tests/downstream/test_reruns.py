"""A folder that several runs filled: one number per tap, the same in every command as in a clean folder."""

import json
from dataclasses import replace

import planted
import pytest

import s3prl_plugin
from s3prl_plugin import commands, results
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.cca.expert import DownstreamExpert as Cca
from s3prl_plugin.downstream.cka.expert import DownstreamExpert as Cka
from s3prl_plugin.downstream.mi.expert import DownstreamExpert as Mi
from s3prl_plugin.downstream.rank.expert import DownstreamExpert as Rank
from s3prl_plugin.downstream.rate.expert import DownstreamExpert as Rate
from s3prl_plugin.inference import current
from s3prl_plugin.report.page import models
from s3prl_plugin.report.page.layers import summary
from s3prl_plugin.report.page.panels import panels
from s3prl_plugin.states.taps import Tap

TAPS = tuple(Tap(i, f"mid.layer{i}", "mid", f"layer{i}", 640, 8) for i in range(5))
POOLED = tuple(replace(tap, stride=1280) for tap in TAPS)
NAMED = ["mid.layer[1-3]"]


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=4)


def run(corpus, out, kind=Cca, seen=TAPS, upstream="u", **options):
    """One analysis into a folder; layers in the middle know most of the phones."""
    made = kind(
        upstream_dim=8,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=seen,
        provenance={"upstream": upstream, "weights": "trained", "weights_id": "w"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    planted.feed(made, [planted.phonetic(1.0 + abs(tap.index - 2)) for tap in seen])
    made.log_records("test")
    return made.rows


@pytest.fixture(scope="module")
def folders(corpus, tmp_path_factory):
    """A folder that three runs filled, and one with the last run alone; beside each a run of another model."""
    root = tmp_path_factory.mktemp("runs")
    last = {"seen": POOLED, "upstream": "u[pool_to=mean:80]", "measures": ["cca_phone"], "phone_tokens": 60}
    last["taps"] = NAMED
    run(corpus, root / "filled" / "run", measures=["cca_phone"], phone_tokens=20)
    run(corpus, root / "filled" / "run", measures=["cca_phone"], phone_tokens=60)
    for name in ("filled", "clean"):
        run(corpus, root / name / "run", **last)
        run(corpus, root / name / "other", **{**last, "upstream": "v"})
    return root / "filled", root / "clean"


def test_the_file_keeps_what_the_last_run_did_not_measure(folders):
    filled, clean = (current.read(folder / "run") for folder in folders)
    assert filled.rows == clean.rows
    assert {row.tap for row in filled.rows if row.tap} == {"mid.layer1", "mid.layer2", "mid.layer3"}
    (note,) = filled.notes
    assert "rows are of earlier runs" in note
    assert len(results.read(folders[0] / "run")) > len(filled.rows)
    assert clean.notes == ()


@pytest.mark.parametrize(
    "words",
    [
        ["report", "RUN", "--json"],
        ["report", "RUN", "--differences", "--json"],
        ["report", "RUN", "OTHER", "--differences", "--json"],
        ["report", "RUN", "OTHER", "--compare", "--json"],
        ["select", "RUN", "--task", "PR", "--json"],
    ],
    ids=" ".join,
)
def test_every_command_says_what_it_says_of_a_clean_folder(folders, capsys, words):
    said = []
    for folder in folders:
        places = {"RUN": str(folder / "run"), "OTHER": str(folder / "other")}
        assert commands.main([places.get(word, word) for word in words]) == 0
        found = [json.loads(line) for line in capsys.readouterr().out.replace(str(folder), "").splitlines()]
        for record in found:
            if "notes" in record:
                record["notes"] = [note for note in record["notes"] if "rows are of earlier runs" not in note]
        said.append(found)
    assert said[0] == said[1]
    assert said[0]


def test_the_page_and_the_loaded_results_are_those_of_a_clean_folder(folders):
    pages = [summary(panels(models.read([folder / "run"]))) for folder in folders]
    assert pages[0] == pages[1]
    assert len(pages[0]) == 1
    with pytest.warns(UserWarning, match="rows are of earlier runs"):
        filled = s3prl_plugin.load_results(folders[0] / "run", pandas=False)
    clean = s3prl_plugin.load_results(folders[1] / "run", pandas=False)
    assert [{**record, "folder": ""} for record in filled] == [{**record, "folder": ""} for record in clean]


def test_more_utterances_replace_fewer(corpus, tmp_path):
    run(corpus, tmp_path, Rank, frame_utterances=20)
    every = run(corpus, tmp_path, Rank, frame_utterances=None)
    assert results.read(tmp_path) == every


@pytest.mark.parametrize(
    "option", ["num_workers", "memory_limit_gb", "checkpoint_minutes", "keep_statistics", "statistics_on_disk"]
)
def test_options_that_change_no_number_make_no_other_run(corpus, tmp_path, option):
    value = {"keep_statistics": True, "statistics_on_disk": True}.get(option, 1)
    plain = run(corpus, tmp_path, Rank)
    again = run(corpus, tmp_path, Rank, taps=["mid.layer0"], **{option: value})
    assert {row.options_id for row in plain} == {row.options_id for row in again}
    assert len(current.read(tmp_path).rows) == len(plain)


@pytest.mark.parametrize(
    ("kind", "measures"),
    [
        (Cca, ["cca_phone", "cca_word"]),
        (Cka, ["cka_phone", "cka_word"]),
        (Mi, ["mi_phone", "mi_word", "mi_frames", "mi_parity"]),
        (Rate, ["rate_phone", "rate_word"]),
    ],
)
def test_a_refusal_and_a_number_are_one_another_s_rerun(corpus, tmp_path, kind, measures):
    """Labels that are not there yet, in a corpus of the same name."""
    options = {
        "measures": measures,
        **{Rate: {"clusters": [4]}, Mi: {"clusters": 4, "frame_clusters": 4}}.get(kind, {}),
    }
    bare = planted.corpus(speakers=8, per_speaker=4, phones=False, words=False)
    taps = (Tap(0, "enc0.pre", "enc0", "pre", 320, 4), Tap(1, "mid.pre", "mid", "pre", 640, 4))
    refused = [row for row in run(bare, tmp_path, kind, taps, **options) if row.refused]
    assert refused
    numbers = run(corpus, tmp_path, kind, taps, **options)
    assert {row.identity for row in refused} <= {row.identity for row in numbers}
    assert all(row.measure == "mi_parity" for row in numbers if row.refused)


def test_units_that_cannot_be_made_are_refused_where_their_numbers_would_stand(corpus, tmp_path):
    measures = ["rate_bits", "rate_phone", "rate_word", "rate_speaker"]
    found = {}
    for clusters in (4, 100_000):
        rows = run(corpus, tmp_path, Rate, TAPS[:1], measures=measures, clusters=[clusters])
        found[clusters] = {(row.measure, row.score, row.segments) for row in rows}
        assert all(row.refused for row in rows if clusters > 4)
    assert found[4] == found[100_000]
