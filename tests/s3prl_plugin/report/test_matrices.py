"""Matrices as text: the number of a pair stands where its taps cross."""

from s3prl_plugin.report import tables, text
from s3prl_plugin.results import Row

TAPS = ("enc0.pre", "mid.out")


def matrix_tables(rows):
    return "\n\n".join(text.table(each) for each in tables.matrix_tables(rows))


def row(tap, tap2, value=None, **changes):
    fields = {"upstream": "u", "measure": "cca_matrix", "score": "r2", "tap": tap, "tap2": tap2, "value": value}
    index = TAPS.index(tap) if tap in TAPS else 0
    return Row(**{**fields, "tap_index": index, "stride": 320, "protocol": "default", **changes})


def test_a_pair_stands_where_its_taps_cross():
    values = {(0, 0): 1.0, (1, 0): 0.25, (0, 1): 0.5, (1, 1): 0.996}
    rows = [row(TAPS[i], TAPS[j], value) for (i, j), value in values.items()]
    title, header, first, second = matrix_tables(rows).splitlines()
    assert title == "cca_matrix, r2 in %, taps of the same numbers across"
    assert header.split() == ["0", "1"]
    assert first.split() == ["0", "enc0.pre", "100", "50"]
    assert second.split() == ["1", "mid.out", "25", "100"]
    assert header.index("0") == first.index("100") + 2 == second.index("25") + 1


def test_another_model_s_taps_are_named_below():
    rows = [row(tap, f"layer{i}", 0.1 * i, upstream2="hubert_base") for tap in TAPS for i in range(3)]
    lines = matrix_tables(rows).splitlines()
    assert lines[0].endswith("taps of hubert_base across")
    assert lines[2].split() == ["enc0.pre", "0", "10", "20"]
    assert lines[-1] == "0 layer0; 1 layer1; 2 layer2"
    twin = [row(a, b, 0.5, upstream2="other weights") for a in TAPS for b in TAPS]
    assert "taps of other weights across" in matrix_tables(twin)


def test_refusals_and_grey_numbers_are_told_once():
    rows = [row(TAPS[0], TAPS[0], 1.0, grey="few rows"), row(TAPS[0], TAPS[1], refused="fewer rows")]
    rows += [row(TAPS[1], TAPS[0], refused="fewer rows"), row(TAPS[1], TAPS[1], 1.0)]
    shown = matrix_tables(rows)
    assert "(100)" in shown
    assert len({len(line) for line in shown.splitlines()[1:4]}) == 1, "the columns are aligned"
    assert shown.count("fewer rows") == shown.count("( ) few rows") == 1


def test_only_matrices_and_each_by_itself():
    one = [row(a, b, 0.5) for a in TAPS for b in TAPS]
    other_score = [row(a, b, 0.9, score="r") for a in TAPS for b in TAPS]
    other_model = [row(a, "layer0", 0.7, upstream2="v") for a in TAPS]
    headline = [row(tap, None, 0.3, measure="cca_mel", headline=True) for tap in TAPS]
    shown = text.text([tables.of_run([*headline, *one, *other_score, *other_model])])
    assert shown.count("across") == 2
    assert "90" not in shown
    assert matrix_tables(headline) == ""
    layers = text.table(tables.layer_table([*headline, *one]))
    assert "cca_matrix" not in layers


def test_what_another_model_is_compared_by_is_in_the_column_s_name():
    rows = [row(tap, "layer3", 0.5, upstream2="v", measure="cca_inter", headline=True) for tap in TAPS]
    assert "cca_inter (layer3 of v)" in text.table(tables.layer_table(rows))
