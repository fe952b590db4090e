"""The report's section on rates: what it says of rows whose numbers are known."""

import json

import pytest

from s3prl_plugin import results
from s3prl_plugin.questions.rates import sections
from s3prl_plugin.questions.rates.points import cheapest, frontier, points
from s3prl_plugin.report.sections import written
from s3prl_plugin.results import Row


def row(measure, value, tap="level0.quantised", index=1, units="codes", bits=800.0, upstream="hqa_tiny", **fields):
    said = {
        "score": {"rate_bits": "entropy_bits_per_s", "rate_mel": "rmse_db"}.get(measure, "adjusted"),
        "corpus": "speech",
        "corpus_kind": "real",
        "stride": 160,
        "headline": True,
        "details": {"bits_per_s": bits} | ({} if measure == "rate_mel" else {"entropy_bits_per_s": 0.75 * bits}),
        "clusters": 256,
        "refused": "why not" if value is None else None,
    }
    fields = {**said, **fields}
    return Row(upstream=upstream, measure=measure, tap=tap, tap_index=index, units=units, value=value, **fields)


def level(number, phone, word, error):
    tap, bits = f"level{number}.quantised", 800.0 / 2**number
    where = {"tap": tap, "index": 2 * number + 1, "bits": bits, "stride": 160 * 2**number}
    return [
        row("rate_bits", 0.75 * bits, **where),
        row("rate_phone", phone, ci_low=phone - 0.02, ci_high=phone + 0.02, **where),
        row("rate_word", word, grey="limited by data", **where),
        row("rate_mel", error, chance=18.0, **where),
    ]


@pytest.fixture
def rows():
    codes = [*level(0, 0.40, 0.10, 8.0), *level(1, 0.38, 0.30, 10.0), *level(2, 0.20, 0.25, 13.0)]
    hubert = {"tap": "layer9", "index": 9, "upstream": "hubert_base", "stride": 320, "bits": 332.0, "clusters": 100}
    return [
        *codes,
        row("rate_phone", 0.7, units="k-means 100", **hubert),
        row("rate_word", None, units="k-means 100", **hubert),
    ]


def folders_of(folder, rows):
    """Folders of one upstream each."""
    folders = [folder / upstream for upstream in dict.fromkeys(row.upstream for row in rows)]
    for each in folders:
        results.write(each, [row for row in rows if row.upstream == each.name])
    return folders


def test_points_gather_the_rows_of_one_way_to_make_units(rows):
    found = points(rows)
    assert [(each.series, each.tap, each.units) for each in found] == [
        ("hqa_tiny, codes", "level0.quantised", "codes"),
        ("hqa_tiny, codes", "level1.quantised", "codes"),
        ("hqa_tiny, codes", "level2.quantised", "codes"),
        ("hubert_base, k-means", "layer9", "k-means 100"),
    ]
    assert found[1].bits_per_s == 400
    assert found[1].entropy_bits_per_s == 300
    assert [each.value("rate_word") for each in found] == [0.10, 0.30, 0.25, None]


def test_the_cheapest_that_tells_nearly_as_much_and_what_none_outdoes(rows):
    codes = [each for each in points(rows) if each.series == "hqa_tiny, codes"]
    assert cheapest(codes, "rate_phone").tap == "level1.quantised", "0.38 of 0.40 at half the bits"
    assert cheapest(codes, "rate_word").tap == "level1.quantised", "0.25 is not nine tenths of 0.30"
    assert [each.tap for each in frontier(codes, "rate_phone")] == [f"level{i}.quantised" for i in (2, 1, 0)]
    assert [each.tap for each in frontier(codes, "rate_word")] == ["level2.quantised", "level1.quantised"]


def test_the_section_answers_and_its_table_has_every_point(tmp_path, rows):
    (section,) = sections(folders_of(tmp_path, rows))
    assert section.name == "rates"
    assert section.verdict.startswith(
        "What one unit tells at most, of phones: 0.70 at 249 bit/s, hubert_base layer9 (k-means 100)"
    )
    assert "Of words: 0.30 at 300 bit/s, hqa_tiny level1.quantised (codes)." in section.verdict
    (table,) = section.tables
    assert len(table.rows) == 4
    shown = [[written(*pair) for pair in zip(line, table.heads, strict=True)] for line in table.cells]
    by_tap = {line[1]: dict(zip(table.names, line, strict=True)) for line in shown}
    assert by_tap["level1.quantised"]["phones"] == "0.380 ±0.020"
    assert by_tap["level1.quantised"]["words"] == "0.300"
    assert by_tap["level1.quantised"]["mel error, dB"] == "10.000"
    assert (by_tap["layer9"]["K"], by_tap["layer9"]["words"]) == ("100", "-")
    assert table.greys == ["limited by data"]


def test_figures_show_all_models_on_one_plot(tmp_path, rows):
    pytest.importorskip("altair")
    (section,) = sections(folders_of(tmp_path, rows))
    assert [figure.title.partition(":")[0] for figure in section.figures] == [
        "Phones",
        "Words",
        "What decoding the codes leaves",
    ]
    text = json.dumps(section.figures[0].spec)
    assert "hqa_tiny, codes" in text
    assert "hubert_base, k-means" in text
    assert '"type": "log"' in text
    compiler = pytest.importorskip("vl_convert")
    for figure in section.figures:
        assert "<svg" in compiler.vegalite_to_svg({**figure.spec, "width": 300})


def test_a_section_for_every_corpus_and_none_without_rates(tmp_path, rows):
    folders = folders_of(tmp_path, rows)
    results.write(tmp_path / "b", level(0, 0.3, 0.1, 9.0)[:1])
    generated = [row("rate_bits", 5.0, corpus="generated", corpus_kind="generated")]
    results.write(tmp_path / "c", generated)
    results.write(tmp_path / "d", [Row(upstream="u", measure="cca_phone", score="r2", value=0.1, tap="layer0")])
    found = sections([*folders, *(tmp_path / name for name in "bcd")])
    assert [each.name for each in found] == ["rates-speech", "rates-generated"]
    assert found[1].verdict is None
    assert sections([tmp_path / "d"]) == ()


def test_two_checkpoints_of_one_entry_are_told_apart(tmp_path):
    first, second = (
        row("rate_phone", value, upstream="hqa_local", checkpoint_sha256=letter * 64)
        for letter, value in (("a", 0.2), ("b", 0.3))
    )
    folders = [results.write(tmp_path / name, [row]) for name, row in (("first", first), ("second", second))]
    (section,) = sections(folders)
    assert [line[0] for line in section.tables[0].rows] == ["hqa_local aaaaaaaa, codes", "hqa_local bbbbbbbb, codes"]


def test_random_weights_are_called_so(tmp_path):
    results.write(tmp_path, [row("rate_phone", 0.2, weights="random")])
    (section,) = sections([tmp_path])
    assert section.tables[0].rows[0][0] == "hqa_tiny (random weights), codes"
