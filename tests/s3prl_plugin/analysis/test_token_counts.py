"""The table that says what n counts: against the corpus and the rows."""

from dataclasses import replace

import planted
import pytest

from s3prl_plugin.analysis import token_counts
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.cca.expert import DownstreamExpert as Cca
from s3prl_plugin.downstream.mi.expert import DownstreamExpert as Mi
from s3prl_plugin.report.page import provenance
from s3prl_plugin.report.page.models import Model
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "enc0.pre", "enc0", "pre", 320, 4), Tap(1, "mid.out", "mid", "out", 640, 4))
FEATURES = (planted.phonetic(0.1), planted.noise)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=8, shared_sentence=True)


def run(kind, corpus, out, **options):
    made = kind(
        upstream_dim=4,
        upstream_rate=320,
        downstream_expert={"intervals": "none", **options},
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    planted.feed(made, FEATURES)
    made.log_records("")
    return made.rows


@pytest.fixture(scope="module")
def folder(corpus, tmp_path_factory):
    """What both analyses wrote into one folder, and their rows."""
    out = tmp_path_factory.mktemp("tokens")
    mi = run(
        Mi, corpus, out, measures=["mi_phone", "mi_word", "mi_frames"], phone_tokens_per_half=40, frame_permutations=1
    )
    cca = run(Cca, corpus, out, measures=["cca_mel", "cca_phone", "cca_word"])
    return out, [*mi, *cca]


def test_every_step_adds_up_to_n(corpus, folder):
    out, rows = folder
    found = token_counts.read(out)
    assert set(found) == {"mi", "cca"}
    there = {
        "phone": sum(len(u.phones) for u in corpus.utterances),
        "word": sum(len(u.words) for u in corpus.utterances),
    }
    silent = sum(p.label == "sil" for u in corpus.utterances for p in u.phones)
    for record in (each for records in found.values() for each in records):
        n = {row.n for row in rows if row.measure == record["measure"] and row.headline and row.subset is None}
        assert {min(n), max(n)} == set(record["n"][""])
        if record["measure"] == "cca_mel":
            continue
        assert record["found"] - sum(record["left_out"].values()) == record["used"]
        assert record["used"] - (record["learned"] or 0) == record["n"][""][0]
        unit = record["measure"].split("_")[1]
        if unit in there:
            assert record["found"] == there[unit]
            assert record["left_out"]["silence"] == (silent if unit == "phone" else 0)


def test_speech_is_less_than_all_frames(folder):
    record = next(each for each in token_counts.read(folder[0])["mi"] if each["measure"] == "mi_frames")
    assert 0 < record["n"]["speech"][0] < record["n"][""][0]


def test_the_table_as_text(folder):
    lines = token_counts.lines(token_counts.read(folder[0])["mi"])
    assert lines[0].split() == [*["measure", "asked", "for", "found", "left", "out", "used", "learned", "from", "n"]]
    assert len(lines) == 1 + 3 + 1
    assert lines[-1].startswith("mi_frames: clusters are learned on all frames")
    assert token_counts.lines([]) == []


def test_a_rerun_replaces_its_own(corpus, folder, tmp_path):
    run(Mi, corpus, tmp_path, measures=["mi_phone", "mi_word"])
    run(Cca, corpus, tmp_path, measures=["cca_phone"])
    run(Mi, corpus, tmp_path, measures=["mi_word"])
    assert {name: [each["measure"] for each in found] for name, found in token_counts.read(tmp_path).items()} == {
        "cca": ["cca_phone"],
        "mi": ["mi_word"],
    }


@pytest.mark.parametrize(
    "content", ["", "[]", "[1]", '{"mi": 1}', '{"mi": [{}]}', '{"mi": [{"measure": 1, "n": {"": 3}}]}']
)
def test_a_broken_file_is_as_none(tmp_path, content):
    (tmp_path / token_counts.FILE_NAME).write_text(content)
    assert token_counts.read(tmp_path) == {}


def test_the_page_has_the_table(folder, tmp_path):
    out, rows = folder
    models = [Model("one", (out,), tuple(rows)), Model("two", (out,), tuple(rows))]
    table = next(each for each in provenance.tables(models) if each.title == "What n counts")
    assert [row[0] for row in table.rows] == [
        "mi_phone",
        "mi_word",
        "mi_frames",
        "cca_mel",
        "cca_phone",
        "cca_word",
    ]
    assert {row[-1] for row in table.rows} == {"all"}
    assert any("clusters are learned on all frames" in note for note in table.notes)
    without = [replace(models[0], folders=(tmp_path,))]
    assert not any(each.title == "What n counts" for each in provenance.tables(without))
