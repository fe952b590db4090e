import planted
import pytest

from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.states.taps import Tap

TAP = Tap(3, "mid.layer0", "mid", "layer0", 640, 8)


def maker(downstream="cca"):
    return RowMaker(downstream, {"upstream": "u", "weights": "random"}, Plan(planted.corpus(), seed=7))


def test_a_row_says_where_it_comes_from():
    row = maker().row(TAP, "cca_phone", "r", value=0.5, headline=False)
    assert (row.upstream, row.weights, row.downstream, row.seed) == ("u", "random", "cca", 7)
    assert (row.tap, row.tap_index, row.block, row.stride) == ("mid.layer0", 3, "mid", 640)
    assert (row.corpus, row.corpus_kind, row.folds, row.split_by) == ("planted", "generated", 4, "speaker")
    assert (row.measure, row.score, row.protocol, row.value) == ("cca_phone", "r", "default", 0.5)
    assert maker().row(TAP, "cca_phone", "r", value=0.5, folds=10, split_by="frame").folds == 10


def test_a_refusal_is_a_row_for_every_score():
    scores = ("adjusted", "mi_over_h")
    rows = maker("mi").refuse(TAP, "mi_word", scores, "adjusted", "no words", protocol="published", n=3)
    assert [(row.score, row.headline, row.value, row.refused) for row in rows] == [
        ("adjusted", True, None, "no words"),
        ("mi_over_h", False, None, "no words"),
    ]
    assert {(row.protocol, row.n) for row in rows} == {("published", 3)}


def test_what_a_measure_alone_says_is_a_detail_that_its_analysis_explains():
    row = maker().row(TAP, "cca_phone", "r2", value=0.5, directions=38, n=7, seeds=None)
    assert (row.details, row.n) == ({"directions": 38}, 7)
    with pytest.raises(ValueError, match="no field 'n_overd', and `fields`"):
        maker().row(TAP, "cca_phone", "r2", value=0.5, n_overd=7.0)


def test_a_measure_that_its_analysis_does_not_explain_is_no_row():
    with pytest.raises(ValueError, match="explains no mi_word/adjusted"):
        maker("cca").refuse(TAP, "mi_word", ("adjusted",), "adjusted", "no words")
