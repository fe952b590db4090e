"""Boards: which scores meet, ranks, seeds, names."""

import random
from dataclasses import replace

import board_rows
import pytest

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.leaderboard import standings

run = board_rows.run


def one_board(*runs):
    (board,) = standings.boards(runs)
    return board


def by_name(board):
    return {entry.name: entry for entry in board.entries}


def test_scores_in_the_units_of_the_published_table():
    values = {"PR": 0.0541, "ASR": 6.42, "KS": 0.963, "QbE": 0.0736, "SF": (0.8853, 0.252)}
    (entry,) = one_board(run("hubert_base", values)).entries
    shown = {name: cell.value for name, cell in entry.cells.items()}
    expected = {"PR PER": 5.41, "ASR WER": 6.42, "KS acc": 96.3, "QbE MTWV": 0.0736, "SF F1": 88.53, "SF CER": 25.2}
    assert shown == pytest.approx(expected)
    assert entry.superb_s is None
    assert entry.missing == ("SID", "ASV", "SD", "IC", "ER")


def test_superb_s_of_published_rows():
    entries = by_name(one_board(run("base", board_rows.BASE), run("large", board_rows.LARGE)))
    assert (entries["base"].points, entries["large"].points) == (941, 919)
    assert entries["base"].missing == ()
    assert entries["base"].superb_r == 0.3  # better in KS, QbE, ASV, and nothing else: the tasks are ten
    assert entries["large"].superb_r == 0.7


def test_scores_of_another_kind_share_no_column():
    folder, rows = run("a", {"PR": 0.1, "SD": 0.08})
    old = [replace(row, score={"per_71": "per", "der_collar_0": "der"}[row.score], value=0.001) for row in rows]
    own = replace(rows[0], score="per_own", value=0.05)
    (entry,) = one_board((folder, [*old, own, *rows])).entries
    shown = {name: cell.value for name, cell in entry.cells.items()}
    assert shown == pytest.approx({"PR PER": 10, "SD DER": 8, "PR own PER": 5})
    with pytest.raises(UserError, match="no score of a SUPERB task"):
        standings.boards([(folder, old)])


def test_ranks_are_those_of_scipy():
    scipy = pytest.importorskip("scipy.stats")
    rng = random.Random(0)
    values = [{"PR": rng.choice([0.1, 0.2, 0.3]), "KS": rng.random()} for _ in range(7)]
    entries = by_name(one_board(*(run(f"u{i}", value) for i, value in enumerate(values))))
    per = scipy.rankdata([value["PR"] for value in values], method="min")
    accuracy = scipy.rankdata([-value["KS"] for value in values], method="min")
    for i in range(7):
        assert entries[f"u{i}"].ranks == {"PR PER": per[i], "KS acc": accuracy[i]}
        beaten = [sum(v["PR"] > values[i]["PR"] for v in values), sum(v["KS"] < values[i]["KS"] for v in values)]
        assert entries[f"u{i}"].superb_r == pytest.approx(sum(beaten) / 2)


def test_a_task_of_two_scores_counts_once_in_superb_r():
    board = one_board(run("a", {"PR": 0.1, "SF": (0.9, 0.1)}), run("b", {"PR": 0.2, "SF": (0.8, 0.2)}))
    swapped = one_board(run("a", {"PR": 0.1, "SF": (0.8, 0.1)}), run("b", {"PR": 0.2, "SF": (0.9, 0.2)}))
    assert [by_name(board)[name].superb_r for name in "ab"] == [1, 0]
    assert [by_name(swapped)[name].superb_r for name in "ab"] == [0.75, 0.25]


def test_without_a_score_an_upstream_beats_none_and_is_beaten_by_none():
    board = one_board(run("a", {"PR": 0.1, "KS": 0.1}), run("b", {"PR": 0.2, "KS": 0.9}), run("c", {"PR": 0.3}))
    assert board.tasks == ("PR", "KS")
    assert [by_name(board)[name].superb_r for name in "abc"] == [1, 1, 0]
    assert one_board(run("a", {"PR": 0.1})).entries[0].superb_r is None


def test_generated_and_real_speech_never_share_a_board():
    real = run("a", {**board_rows.BASE, "PR": 0.3})
    generated = run("b", {"PR": 0.01}, corpus="generated", corpus_kind="generated", published_corpus=False)
    own = run("c", {"PR": 0.02}, corpus="timit", published_corpus=False)
    for order in ([real, generated, own], [own, generated, real]):
        boards = standings.boards(order)
        assert [(b.kind, [e.name for e in b.entries]) for b in boards] == [
            ("published", ["a"]),
            ("other", ["c"]),
            ("generated", ["b"]),
        ]
        assert all(entry.ranks["PR PER"] == 1 for board in boards for entry in board.entries)
        assert [board.entries[0].superb_s is not None for board in boards] == [True, False, False]


def test_one_upstream_with_both_kinds_of_speech_is_on_two_boards():
    folder, rows = run("a", {"PR": 0.3})
    _, made = run("a", {"KS": 0.9}, corpus="generated", corpus_kind="generated", published_corpus=False)
    boards = standings.boards([(folder, [*rows, *made])])
    assert [set(board.entries[0].cells) for board in boards] == [{"PR PER"}, {"KS acc"}]


def test_other_real_corpora_do_not_share_a_board():
    runs = [run(name, {"PR": 0.1}, corpus=name, published_corpus=False) for name in ("timit", "own")]
    assert [board.corpus for board in standings.boards(runs)] == ["own", "timit"]


def test_seeds_give_mean_and_standard_deviation():
    values = ((1, 0.1), (2, 0.2), (3, 0.6))
    runs = [run("a", {**board_rows.BASE, "PR": value}, seed) for seed, value in values]
    (entry,) = one_board(*runs).entries
    assert entry.cells["PR PER"].value == pytest.approx(30)
    assert entry.cells["PR PER"].spread == pytest.approx((((20**2) + 10**2 + 30**2) / 2) ** 0.5)
    each = [one_board(one).entries[0].superb_s.value for one in runs]
    assert list(entry.superb_s.seeds.values()) == pytest.approx(each)
    assert entry.superb_s.spread == pytest.approx(superb_sd(each))


def superb_sd(values):
    mean = sum(values) / len(values)
    return (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5


def test_superb_s_of_unequal_seeds_is_that_of_the_means():
    runs = [run("a", {**board_rows.BASE, "PR": 0.1}, 1), run("a", {"PR": 0.3}, 2)]
    (entry,) = one_board(*runs).entries
    of_the_mean = one_board(run("b", {**board_rows.BASE, "PR": 0.2})).entries[0]
    assert entry.superb_s.value == pytest.approx(of_the_mean.superb_s.value)
    assert entry.superb_s.spread is None


def test_a_run_given_twice_counts_once_and_two_that_disagree_are_refused():
    one = run("a", {"PR": 0.1})
    assert len(one_board(one, one).entries[0].cells["PR PER"].seeds) == 1
    with pytest.raises(UserError, match=r"PR PER of a with seed 1 is 10 in a_1 and 20 in b: .* leave one"):
        standings.boards([one, run("a", {"PR": 0.2}, folder="b")])


def test_different_upstreams_have_different_names():
    runs = [
        run("local", {"PR": 0.1}, checkpoint_sha256="1" * 64),
        run("local", {"PR": 0.2}, checkpoint_sha256="2" * 64),
        run("custom", {"PR": 0.3}, weights_id="3" * 16),
        run("custom", {"PR": 0.4}, weights_id="4" * 16),
        run("fbank", {"PR": 0.5}, weights=None),
        run("other", {"PR": 0.6}, features="hidden_states_40ms"),
        run("other", {"PR": 0.7}),
        run("same", {"PR": 0.8}, variant="x"),
        run("same", {"PR": 0.9}, variant="y"),
    ]
    names = [entry.name for entry in one_board(*runs).entries]
    assert set(names) == {
        "local@11111111",
        "local@22222222",
        "custom@33333333",
        "custom@44444444",
        "fbank",
        "other -s hidden_states_40ms",
        "other",
        "same #1",
        "same #2",
    }


def test_the_best_stand_first_and_those_without_superb_s_last():
    runs = [run("few", {"PR": 0.03}), run("base", board_rows.BASE), run("large", board_rows.LARGE)]
    assert [entry.name for entry in one_board(*runs).entries] == ["base", "large", "few"]
    runs = [run("few", {"PR": 0.3}), run("bad", {"PR": 0.5, "KS": 0.5}), run("good", {"PR": 0.1, "KS": 0.9})]
    assert [entry.name for entry in one_board(*runs).entries] == ["good", "few", "bad"]


def test_layers_and_refusals_are_no_scores():
    folder, rows = run("a", {"PR": 0.1})
    layer = replace(rows[0], tap="layer0", value=0.9)
    weight = replace(rows[0], score="weight", tap="layer0", value=0.5)
    refused = replace(rows[0], measure="KS", score="accuracy", value=None, refused="why")
    (entry,) = one_board((folder, [*rows, layer, weight, refused])).entries
    assert {name: cell.value for name, cell in entry.cells.items()} == {"PR PER": 10}
    with pytest.raises(UserError, match="a_1: no score of a SUPERB task"):
        standings.boards([(folder, [layer, weight, refused])])


def test_changed_settings_and_predictions_are_kept_by_task():
    said = ["runner.total_steps", "optimizer.lr=0.1 (published 0.01)"]
    folder, rows = run("a", {"PR": 0.1, "KS": 0.5}, changed_settings=said, predictions=["p.txt"])
    (entry,) = one_board((folder, rows)).entries
    assert entry.changed == {"PR": ("runner.total_steps",), "KS": ("runner.total_steps",)}
    assert entry.rates == {"PR": "0.1 (published 0.01)", "KS": "0.1 (published 0.01)"}
    assert entry.predictions == ("PR/p.txt", "KS/p.txt")
