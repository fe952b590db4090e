"""`load_results`: records of a run, of a study and of several folders, with and without pandas."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

import s3prl_plugin
from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import current
from s3prl_plugin.results import Row

SHORT = [("enc0.pre", "enc0"), ("enc0.layer0", "enc0"), ("mid.pre", "mid"), ("dec0.pre", "dec0"), ("res_out0", None)]
LONG = [
    ("enc0.pre", "enc0"),
    ("enc0.layer0", "enc0"),
    ("enc0.layer1", "enc0"),
    ("enc1.pre", "enc1"),
    ("mid.pre", "mid"),
]


def rows(upstream, taps, **changes):
    """One row per tap, written in no order."""
    shuffled = [(i, *tap) for i, tap in enumerate(taps)]
    shuffled = shuffled[1::2] + shuffled[0::2]
    fields = {"upstream": upstream, "measure": "cca_phone", "score": "r2", "headline": True, "seed": 1}
    return [
        Row(**{**fields, "tap": tap, "tap_index": i, "block": block, "stride": 320 * (1 + (block == "mid"))}, **changes)
        for i, tap, block in shuffled
    ]


@pytest.fixture
def study(tmp_path):
    """A study of two models; one measure of the second is refused everywhere."""
    results.write(tmp_path / "b", rows("long", LONG, value=0.25, replicates=[0.1, 0.2], versions={"torch": "2"}))
    results.write(tmp_path / "a", [*rows("short", SHORT, value=0.5, n=7), *_refused()])
    (tmp_path / "study.json").write_text(json.dumps({"upstreams": ["b", "a"]}))
    return tmp_path


def _refused():
    return [Row(upstream="short", measure="mi_word", score="adjusted", tap="mid.pre", tap_index=2, refused="too few")]


def test_a_list_of_dictionaries_says_what_the_file_says(study):
    found = s3prl_plugin.load_results(study / "a", pandas=False)
    lines = [json.loads(line) for line in (study / "a" / results.FILE_NAME).read_text().splitlines()]
    assert {line.pop("schema") for line in lines} == {results.SCHEMA}
    assert {json.dumps(line.pop("details")) for line in lines} == {"{}"}
    assert [{k: v for k, v in record.items() if k not in ("folder", "resolution_ms")} for record in found] == lines
    assert {record["folder"] for record in found} == {str(study / "a")}
    assert {(record["stride"], record["resolution_ms"]) for record in found} == {(320, 20), (640, 40), (None, None)}


def test_a_frame_of_a_study_has_its_types_and_orders(study):
    pandas = pytest.importorskip("pandas")
    found = s3prl_plugin.load_results(study)
    assert isinstance(found, pandas.DataFrame)
    assert set(found.columns) == {"folder", "resolution_ms", *(field.name for field in fields(Row))} - {
        "newer",
        "details",
    }
    assert list(found.folder.cat.categories) == [str(study / "b"), str(study / "a")]
    assert list(found.tap.cat.categories) == [
        "enc0.pre", "enc0.layer0", "enc0.layer1", "enc1.pre", "mid.pre", "dec0.pre", "res_out0"
    ]  # fmt: skip
    assert list(found.block.cat.categories) == ["enc0", "enc1", "mid", "dec0"]
    first = found[found.upstream == "short"].sort_values("tap")
    assert list(first.query("measure == 'cca_phone'").tap) == [tap for tap, _ in SHORT]
    assert found.value.mean() == pytest.approx((5 * 0.25 + 5 * 0.5) / 10)
    assert found.n.sum() == 35
    assert found.headline.dtype == bool
    assert all(pandas.api.types.is_integer_dtype(found[name]) for name in ("stride", "seed", "tap_index"))
    assert found.replicates.iloc[0] == [0.1, 0.2]
    assert found.versions.iloc[0] == {"torch": "2"}


def test_what_any_row_says_in_detail_is_a_column(study):
    pandas = pytest.importorskip("pandas")
    details = [{"seeds": 2, "seed_sd": 0.5}, {"seeds": 3, "kind": "x", "value": 9}, {}]
    for name, said in zip("cde", details, strict=True):
        results.write(study / name, rows("u", SHORT[:1], value=0.5, details=said))
    found = s3prl_plugin.load_results([study / name for name in "cde"])
    assert list(found.columns)[-3:] == ["kind", "seed_sd", "seeds"]
    assert pandas.api.types.is_integer_dtype(found.seeds)
    assert found.seeds.tolist()[:2] == [2, 3]
    assert found.seeds.isna().tolist() == [False, False, True]
    assert found.seed_sd.tolist()[0] == 0.5
    assert found.value.tolist() == [0.5] * 3
    assert s3prl_plugin.load_results(study / "c", pandas=False)[0]["seed_sd"] == 0.5


def test_refused_rows_are_kept_with_their_reason(study):
    pytest.importorskip("pandas")
    found = s3prl_plugin.load_results(study)
    (refused,) = found[found.value.isna()].itertuples()
    assert (refused.measure, refused.tap, refused.refused) == ("mi_word", "mid.pre", "too few")
    assert found.refused.notna().sum() == 1


def test_several_paths_and_one_of_them_twice(study):
    records = s3prl_plugin.load_results([study / "a", study, str(study / "a" / results.FILE_NAME)], pandas=False)
    folders = [record["folder"] for record in records]
    assert folders.count(str(study / "a")) == 6
    assert folders.count(str(study / "b")) == 5


def test_nothing_there_and_no_pandas(study, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no results there"):
        s3prl_plugin.load_results(tmp_path / "nowhere")
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert isinstance(s3prl_plugin.load_results(study), list)
    with pytest.raises(UserError, match="pip install pandas"):
        s3prl_plugin.load_results(study, pandas=True)


def test_importing_the_package_loads_neither_pandas_nor_torch():
    code = "import sys, s3prl_plugin as p; p.load_results; print({'pandas', 'torch', 's3prl'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_what_a_reader_should_know_of_a_folder_is_a_warning(study, monkeypatch):
    read = current.read

    def noted(folder):
        return replace(read(folder), notes=(f"{Path(folder).name}: an older row is left out",))

    monkeypatch.setattr(current, "read", noted)
    with pytest.warns(UserWarning, match="left out") as told:
        s3prl_plugin.load_results(study, pandas=False)
    assert [str(each.message)[0] for each in told] == ["b", "a"]
