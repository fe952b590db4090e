"""The text table, checked against rows whose answer can be read off by eye."""

from s3prl_plugin.report import tables, text
from s3prl_plugin.results import Row


def row(tap, value=None, **changes):
    fields = {"upstream": "u", "measure": "cca_phone", "score": "r2", "headline": True, "tap": tap}
    fields |= {"tap_index": int(tap[-1]), "stride": 320, "protocol": "default", "value": value}
    return Row(**{**fields, **changes})


def lines(rows):
    return text.table(tables.layer_table(rows)).splitlines()


def test_the_best_tap_is_marked_and_only_it():
    shown = lines([row("layer0", 0.1), row("layer1", 0.7), row("layer2", 0.3)])
    assert [("*" in line) for line in shown[1:4]] == [False, True, False]


def test_lower_is_better_where_the_row_says_so():
    shown = lines([row("layer0", 0.1, higher_is_better=False), row("layer1", 0.7, higher_is_better=False)])
    assert [("*" in line) for line in shown[1:3]] == [True, False]


def test_a_trivial_value_is_never_the_best():
    shown = lines([row("layer0", 1.0, trivial=True), row("layer1", 0.7), row("layer2", 0.2)])
    assert [("*" in line) for line in shown[1:4]] == [False, True, False]


def test_taps_stand_in_execution_order_with_their_resolution():
    shown = lines([row("layer2", 0.1, stride=640), row("layer0", 0.2), row("layer1", 0.3)])
    assert [line.split()[:2] for line in shown[1:4]] == [["layer0", "20"], ["layer1", "20"], ["layer2", "40"]]


def test_interval_grey_and_refusal_are_shown_and_explained():
    rows = [
        row("layer0", 0.5, ci_low=0.4, ci_high=0.6),
        row("layer1", 0.3, grey="limited by data"),
        row("layer2", refused="1.2 rows per dimension"),
    ]
    shown = text.table(tables.layer_table(rows))
    assert "0.500 ±0.100" in shown
    assert "(0.300)" in shown
    assert "limited by data" in shown
    assert "- a: 1.2 rows per dimension" in shown


def test_only_headlines_of_single_taps_are_columns():
    shown = text.table(
        tables.layer_table([row("layer0", 0.5), row("layer0", 0.9, score="r", headline=False, measure="hidden")])
    )
    assert "hidden" not in shown


def test_the_published_protocol_stands_in_its_own_column():
    header = lines([row("layer0", 0.5), row("layer0", 0.4, protocol="published")])[0]
    assert "cca_phone" in header.split()
    assert "(published)" in header


def test_the_headline_warns_of_random_weights_and_generated_speech():
    shown = "\n".join(tables.headline([row("layer0", 0.5, weights="random", corpus="voices", corpus_kind="generated")]))
    assert "random weights" in shown
    assert "generated speech" in shown
    trained = "\n".join(tables.headline([row("layer0", 0.5, weights="trained", corpus="timit", corpus_kind="real")]))
    assert "random" not in trained
    assert "generated" not in trained


def test_tasks_have_their_own_table():
    task = row("layer0", 0.25, measure="SID", score="accuracy", task_checkpoint="dev-best.ckpt")
    from dataclasses import replace

    shown = text.table(tables.task_table([replace(task, tap=None, tap_index=None)]))
    assert "SID" in shown
    assert "0.2500" in shown
    assert "dev-best.ckpt" in shown
    assert tables.task_table([row("layer0", 0.5)]).rows == ()


def weight(tap, value, task="SID", **changes):
    return row(tap, value, measure=task, score="weight", headline=False, protocol=None, **changes)


def test_learned_weights_have_a_table_with_a_column_per_task():
    rows = [weight("layer0", 0.2), weight("layer1", 0.8, stride=640), weight("layer0", 0.7, "KS")]
    shown = [line.split() for line in text.table(tables.weights_table(rows)).splitlines()]
    assert shown[1:4] == [["tap", "ms", "SID", "KS"], ["layer0", "20", "0.200", "0.700*"], ["layer1", "40", "0.800*"]]
    assert tables.weights_table([row("layer0", 0.5)]).rows == ()


def test_learned_weights_of_several_seeds_stand_apart():
    shown = text.table(tables.weights_table([weight("layer0", 0.2, seed=1), weight("layer0", 0.3, seed=2)]))
    assert "SID (1)" in shown
    assert "SID (2)" in shown


def test_tasks_on_corpora_of_their_own_stand_with_the_analyses():
    rows = [row("layer0", 0.5, corpus="c"), row("layer0", 0.4, corpus="d")]
    tasks = [weight("layer0", 1.0, corpus=corpus) for corpus in ("vox", "c", "libri")]
    first, second = tables.groups([*rows, *tasks])
    assert [r.corpus for r in first] == ["c", "c"]
    assert [r.corpus for r in second] == ["d", "vox", "libri"]
    assert "on d" in " ".join(tables.headline(second))
    assert "vox" not in " ".join(tables.headline(second))
    assert [len(group) for group in tables.groups(tasks)] == [3]


def test_a_tap_whose_stride_a_row_does_not_say_is_shown_all_the_same():
    rows = [row("layer0", 0.1), row("layer0", 0.2, measure="mi_phone", stride=None)]
    assert "0.200" in text.table(tables.layer_table(rows))
    learned = [weight("layer0", 0.5), weight("layer0", 0.25, "KS", stride=None)]
    assert "0.250" in text.table(tables.weights_table(learned))
