"""Cells, levels and the jackknife against plain loops over triplets."""

import itertools

import numpy as np
import pytest

from s3prl_plugin.downstream.abx.cells import ACROSS, WITHIN, Cells, Tokens, cells, comparisons, triplets


def drawn(seed: int, n: int = 60) -> tuple[Tokens, np.ndarray]:
    """Tokens, and distances with ties."""
    rng = np.random.default_rng(seed)
    tokens = Tokens(rng.integers(0, 4, n), rng.integers(0, 4, n), rng.integers(0, 2, n))
    distance = rng.integers(0, 6, (n, n)).astype(np.float32)
    return tokens, np.minimum(distance, distance.T)


def computed(tokens: Tokens, distance: np.ndarray, speaker: str, **how: int) -> tuple[Cells, int]:
    found = comparisons(tokens, speaker, **how)
    blocks = [distance[np.ix_(*each.block)].copy() for each in found]
    for matrix, each in zip(blocks, found, strict=True):
        matrix[each.block[0][:, None] == each.block[1]] = np.nan
    return cells(found, iter(blocks)), triplets(found)


def loop(tokens: Tokens, distance: np.ndarray, speaker: str) -> dict[tuple[int, ...], list[float]]:
    """(a, b, speaker, speaker of x, context) -> the errors of all triplets."""
    every = range(len(tokens.label))
    table: dict[tuple[int, ...], list[float]] = {}
    for a, b, x in itertools.product(every, every, every):
        same = tokens.speaker[x] == tokens.speaker[a]
        fits = same and x != a if speaker == WITHIN else not same
        fits &= tokens.label[a] == tokens.label[x] != tokens.label[b] and tokens.speaker[a] == tokens.speaker[b]
        if fits and tokens.context[a] == tokens.context[b] == tokens.context[x]:
            error = 1.0 if distance[x, a] > distance[x, b] else 0.5 if distance[x, a] == distance[x, b] else 0.0
            key = (tokens.label[a], tokens.label[b], tokens.speaker[a], tokens.speaker[x], tokens.context[a])
            table.setdefault(tuple(map(int, key)), []).append(error)
    return table


def levels(table: dict[tuple[int, ...], list[float]]) -> float:
    means = {key: np.mean(errors) for key, errors in table.items()}
    for width in (3, 2):
        grouped: dict[tuple[int, ...], list[float]] = {}
        for key, mean in means.items():
            grouped.setdefault(key[:width], []).append(float(mean))
        means = {key: np.mean(each) for key, each in grouped.items()}
    return float(np.mean(list(means.values())))


@pytest.mark.parametrize("speaker", [WITHIN, ACROSS])
def test_every_cell_and_the_levels_of_the_mean(speaker: str) -> None:
    tokens, distance = drawn(0)
    table, wanted = loop(tokens, distance, speaker), computed(tokens, distance, speaker)
    found, count = wanted
    keys = zip(*(each.tolist() for each in (found.a, found.b, found.speaker, found.other, found.context)), strict=True)
    scores = dict(zip(keys, zip(found.score, found.triplets, strict=True), strict=True))
    assert scores == {key: (pytest.approx(np.mean(each)), len(each)) for key, each in table.items()}
    assert count == found.triplets.sum()
    assert found.error == pytest.approx(levels(table))
    assert found.weighted == pytest.approx(np.mean([e for each in table.values() for e in each]))


@pytest.mark.parametrize("speaker", [WITHIN, ACROSS])
def test_the_jackknife_is_the_error_without_a_speakers_tokens(speaker: str) -> None:
    tokens, distance = drawn(1)
    _, without = computed(tokens, distance, speaker)[0].errors_without(range(4))
    for who in range(4):
        kept = np.flatnonzero(tokens.speaker != who)
        fewer = Tokens(tokens.label[kept], tokens.speaker[kept], tokens.context[kept])
        assert without[who] == pytest.approx(levels(loop(fewer, distance[np.ix_(kept, kept)], speaker)))


def test_speakers_of_x_are_drawn_once_for_a_label_speaker_and_context() -> None:
    tokens, _ = drawn(2)
    whole = [each.rows for each in comparisons(tokens, ACROSS)]
    found = comparisons(tokens, ACROSS, x_speakers=2, seed=3)
    for each in found:
        others = [(label, other) for label, other, _ in each.rows]
        assert len(others) == len(set(others))
        assert max(np.bincount([label for label, _ in others])) <= 2
    assert whole != [each.rows for each in found]
    assert [e.rows for e in found] == [e.rows for e in comparisons(tokens, ACROSS, x_speakers=2, seed=3)]
    assert [e.rows for e in found] != [e.rows for e in comparisons(tokens, ACROSS, x_speakers=2, seed=4)]


@pytest.mark.parametrize("speaker", [WITHIN, ACROSS])
def test_exchanged_labels_give_chance_where_true_ones_do_not(speaker: str) -> None:
    tokens, distance = drawn(3, 120)
    distance += 3 * (tokens.label[:, None] != tokens.label)
    found = comparisons(tokens, speaker)
    blocks = [np.where(e.block[0][:, None] == e.block[1], np.nan, distance[np.ix_(*e.block)]) for e in found]
    assert cells(found, iter(blocks)).error < 0.3
    by_chance = [cells(found, iter(blocks), shuffle).error for shuffle in range(20)]
    assert np.mean(by_chance) == pytest.approx(0.5, abs=4 * np.std(by_chance) / np.sqrt(20) + 1e-3)
