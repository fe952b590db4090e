"""How well `r2` finds a planted truth: bias, coverage of its intervals, and whether a layer's width moves it.

    python -m benchmarks.planted_r2 [PART ...] [--draws 400] [--json]

prints the tables that the documentation of `downstream.cca.r2` quotes; a part is one of `PARTS`. 400 draws of all parts
take about forty minutes of one core.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from s3prl_plugin.analysis.planning.labels import labelled_folds
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import r2
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.downstream.cca.r2 import R2

Array = npt.NDArray[np.float64]
Rows = tuple[Array, Array, npt.NDArray[np.int64]]
"""Views x and y of the same rows, and the rows' folds."""
FOLDS = 8
K = 38
SPECTRA = {
    "even": np.linspace(0.95, 0.15, K),
    "all .55": np.full(K, 0.55),
    "half zero": np.r_[np.linspace(0.95, 0.15, K // 2), np.zeros(K // 2)],
    "5 strong": np.r_[np.full(5, 0.9), np.full(K - 5, 0.1)],
    "zero": np.zeros(K),
}
WIDTHS = (64, 128, 256)
PER_DIMENSION = (2, 3, 5, 14)
OFFSET = 0.33  # standard deviation of speakers' offsets, in those of the frames
AR = 0.8


@dataclass(frozen=True, slots=True)
class Found:
    """What the draws of one case gave.

    Attributes:
        part, case: which.
        truth: planted, the mean over draws.
        value: the mean estimate.
        covered: the share of 95 % intervals that hold the truth; of `widths`, of differences that are called real.
        n_eff_over_d: the median.
    """

    part: str
    case: str
    truth: float
    value: float
    covered: float
    n_eff_over_d: float

    @property
    def bias(self) -> float:
        """The estimate less the truth."""
        return self.value - self.truth

    def text(self) -> str:
        """A line of the table."""
        share = f"{100 * self.bias / self.truth:+6.1f} %" if abs(self.truth) > 1e-9 else " " * 8
        return (
            f"{self.part:9} {self.case:44} truth {self.truth:.4f}  bias {self.bias:+.4f} {share}  "
            f"{100 * self.covered:5.1f} %  n_eff/d {self.n_eff_over_d:5.1f}"
        )


def estimate(rows: Rows, k: int | None = None) -> R2:
    """`r2` of arrays, whatever their limit says."""
    x, y, fold = rows
    return r2.cross_validate(PairOfViews([Moments.of(x[fold == f], y[fold == f]) for f in range(FOLDS)]), k)


def rows_for(d: int, per_dimension: float) -> int:
    """How many rows give the training folds so many per dimension."""
    return round(per_dimension * d * FOLDS / (FOLDS - 1))


def independent(rng: np.random.Generator, n: int, d: int, rho: Array) -> Rows:
    """Independent rows: x (n, d) and y (n, k) with canonical correlations rho."""
    y, x = rng.standard_normal((n, len(rho))), rng.standard_normal((n, d))
    return _correlated(x, y, rho), y, np.arange(n) % FOLDS


def of_speakers(
    rng: np.random.Generator, n: int, d: int, rho: Array, speakers: int, offset: float
) -> tuple[Rows, float]:
    """Frames of speakers, each depending on the one before (AR .8), and the truth of the speakers that were drawn.

    Every speaker has an offset in either view that has nothing to do with that in the other. It counts as variance: the
    truth is the squared correlation of all speakers' frames together, which is lower than within a speaker.
    """
    each = n // speakers
    y, x = (_autoregressive(rng, speakers, each, m) for m in (len(rho), d))
    x = _correlated(x, y, rho)
    speaker = np.repeat(np.arange(speakers), each)
    offsets = [offset * rng.standard_normal((speakers, m)) for m in (d, len(rho))]
    rows = x + offsets[0][speaker], y + offsets[1][speaker], speaker % FOLDS
    return rows, _pooled_truth(rho, offsets[0], offsets[1])


def _correlated(x: Array, y: Array, rho: Array) -> Array:
    """x with its first dimensions correlated with those of y, as far as there are such."""
    k = min(len(rho), x.shape[1])
    return np.column_stack([rho[:k] * y[:, :k] + np.sqrt(1 - rho[:k] ** 2) * x[:, :k], x[:, k:]])


def _autoregressive(rng: np.random.Generator, speakers: int, each: int, d: int) -> Array:
    """(speakers * each, d) of unit variance."""
    drawn = rng.standard_normal((speakers, each, d))
    for t in range(1, each):
        drawn[:, t] = AR * drawn[:, t - 1] + np.sqrt(1 - AR**2) * drawn[:, t]
    return drawn.reshape(-1, d)


def _pooled_truth(rho: Array, of_x: Array, of_y: Array) -> float:
    """The mean squared correlation where the speakers' offsets are part of each view's variance."""
    x, y = (np.eye(each.shape[1]) + np.cov(each.T, bias=True) for each in (of_x, of_y))
    k = len(rho)
    cross = np.zeros((len(x), k))
    cross[range(k), range(k)] = rho
    return float(np.trace(np.linalg.solve(x, cross) @ np.linalg.solve(y, cross.T))) / k


def _known(rng: np.random.Generator, made: Callable[[np.random.Generator], Rows], truth: float) -> tuple[R2, float]:
    return estimate(made(rng)), truth


def _drawn(rng: np.random.Generator, made: Callable[[np.random.Generator], tuple[Rows, float]]) -> tuple[R2, float]:
    drawn, truth = made(rng)
    return estimate(drawn), truth


def _case(part: str, case: str, draws: int, draw: Callable[[np.random.Generator], tuple[R2, float]]) -> Found:
    """The draws of one case, each with a generator of its own."""
    found = [draw(np.random.default_rng([i, len(case)])) for i in range(draws)]
    covered = [low <= truth <= high for each, truth in found for low, high in [each.interval()]]
    return Found(
        part=part,
        case=case,
        truth=float(np.mean([truth for _, truth in found])),
        value=float(np.mean([each.value for each, _ in found])),
        covered=float(np.mean(covered)),
        n_eff_over_d=float(np.median([each.n_eff_over_d for each, _ in found])),
    )


def rows(draws: int) -> Iterator[Found]:
    """Independent rows."""
    for name, rho in SPECTRA.items():
        for d in WIDTHS:
            for ratio in PER_DIMENSION:

                def draw(
                    rng: np.random.Generator, rho: Array = rho, d: int = d, ratio: int = ratio
                ) -> tuple[R2, float]:
                    return estimate(independent(rng, rows_for(d, ratio), d, rho)), float(np.mean(rho**2))

                yield _case("rows", f"{name}, d {d}, n/d {ratio}", draws, draw)


def widths(draws: int, n: int = 1100, narrow: int = 64, wide: int = 256) -> Iterator[Found]:
    """The same signal in the same rows, in a layer of few dimensions and in one of many: their paired difference.

    `truth` is 0, `value` the mean difference, and `covered` how often it is called one.
    """
    for name, rho in SPECTRA.items():
        differences = []
        for i in range(draws):
            x, y, fold = independent(np.random.default_rng([i, 64]), n, wide, rho)
            differences.append(estimate((x, y, fold)).estimate - estimate((x[:, :narrow], y, fold)).estimate)
        called = [each.p_value < 0.05 for each in differences]
        mean = float(np.mean([each.value for each in differences]))
        yield Found("widths", f"{name}, d {wide} less d {narrow}", 0.0, mean, float(np.mean(called)), n * 7 / 8 / wide)


def speakers(draws: int) -> Iterator[Found]:
    """Frames that depend on each other, of speakers with and without offsets."""
    for (name, rho), d, count, ratio, offset in itertools.product(
        SPECTRA.items(), (64, 128), (24, 40), (20, 60), (0.0, OFFSET)
    ):
        made = partial(of_speakers, n=rows_for(d, ratio), d=d, rho=rho, speakers=count, offset=offset)
        case = f"{name}, d {d}, n/d {ratio}, {count} speakers, offsets {offset}"
        yield _case("speakers", case, draws, partial(_drawn, made=made))


def hard(draws: int) -> Iterator[Found]:
    """One-hot labels of Zipf's frequencies, null and huge dimensions, as many directions as dimensions and more."""
    rho, d = SPECTRA["even"], 128
    n, truth = rows_for(d, 5), float(np.mean(SPECTRA["even"] ** 2))

    def labels(rng: np.random.Generator) -> tuple[R2, float]:
        share = 1 / np.arange(1, K + 2)
        share /= share.sum()
        means = 0.8 * rng.standard_normal((K + 1, d))
        label = rng.choice(K + 1, 4 * n, p=share)
        centred = means - share @ means
        between = centred.T * share @ centred
        data = labelled_folds(means[label] + rng.standard_normal((4 * n, d)), label, np.arange(4 * n) % FOLDS, FOLDS)
        known = np.trace(np.linalg.solve(between + np.eye(d), between)) / K
        return r2.cross_validate(PairOfViews(data.folds)), float(known)

    def null(rng: np.random.Generator) -> tuple[R2, float]:
        x, y, fold = independent(rng, n, d, rho)
        return estimate((np.column_stack([x, x[:, 0] - x[:, 1]]), np.column_stack([y, y.sum(1)]), fold)), truth

    def huge(rng: np.random.Generator) -> tuple[R2, float]:
        x, y, fold = independent(rng, n, d, rho)
        turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
        x = x @ turn * np.logspace(0, -3, d) @ turn.T
        x[:, [3, 40, 77]] = 1e3 * x[:, [3, 40, 77]] + 500
        return estimate((x, y, fold)), truth

    def few_dimensions(d: int) -> Callable[[np.random.Generator], tuple[R2, float]]:
        known = float(np.square(rho[:d]).sum() / K)
        return lambda rng: (estimate(independent(rng, rows_for(K, 5), d, rho)), known)

    yield _case("hard", "one-hot labels, Zipf, 39 classes", draws, labels)
    yield _case("hard", "a null direction in either view", draws, null)
    yield _case("hard", "condition 1e6, three huge dimensions", draws, huge)
    yield _case("hard", "k > d (24)", draws, few_dimensions(24))
    yield _case("hard", "k = d", draws, few_dimensions(K))


PARTS = {"rows": rows, "widths": widths, "speakers": speakers, "hard": hard}


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which (default: all)")
    parser.add_argument("--draws", type=int, default=400, metavar="N", help="of every case (default: 400)")
    parser.add_argument("--json", action="store_true", help="a line of JSON per case")
    args = parser.parse_args()
    for part in args.parts or PARTS:
        for found in PARTS[part](args.draws):
            print(json.dumps(asdict(found)) if args.json else found.text(), flush=True)


if __name__ == "__main__":
    main()
