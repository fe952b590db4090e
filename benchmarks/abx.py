"""ABX within speakers: librosa's DTW, triplet by triplet, and fastabx where it is installed, beside ours; one thread.

fastabx needs Python 3.12 (`pip install fastabx`; on 3.11 pip finds no version of it). Its errors, on features and items
that `-d abx` wrote of the TIMIT sample (`write_features: true`, mr_hubert_tiny), differ from ours by 2e-7 at most, of
phones and words, at 20 and 40 ms, within and across speakers (docs/discrimination.md). It took 6.3 times our processor
time for the phones of this benchmark, 4.8 times for its words.

Tokens are as long and as many as in TIMIT's sample at 20 ms frames: phones of 4 frames, five of each label and speaker;
words of 15 frames, of which few are said twice. Where tokens are many, a pair serves several triplets, so that cells of
tokens cost far less than triplets drawn one by one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.ratios import Measuring, Ratio
from s3prl_plugin.analysis.tokens.distances import TokenFrames, distances
from s3prl_plugin.downstream.abx.cells import WITHIN, Comparisons, Tokens, cells, comparisons
from s3prl_plugin.downstream.abx.items import HEADER

IN_ROUNDS = False
DIM = 768
TRIPLETS = 10_000  # for which costs are told


@dataclass(frozen=True, slots=True)
class Kind:
    """What tokens are like.

    Attributes:
        name: of them.
        frames: of a token, on average.
        counts: tokens of every label of a speaker.
        bar: how many times less than librosa's ours is to cost.
        bar_fastabx: the same of fastabx.
    """

    name: str
    frames: float
    counts: tuple[int, ...]
    bar: float
    bar_fastabx: float


KINDS = (Kind("phones", 4, (5,) * 31, 50, 3), Kind("words", 15, (4, 3, 3) + (2,) * 4 + (1,) * 69, 10, 4))


def measure(settings: Measuring) -> Iterator[Ratio]:
    """Phones and words."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for kind in KINDS:
            yield from _ratios(kind, settings.quick)
    finally:
        torch.set_num_threads(threads)


def _ratios(kind: Kind, quick: bool) -> Iterator[Ratio]:
    """One kind of tokens."""
    import librosa

    rng = np.random.default_rng(0)
    speakers = 2 if quick else 16
    label = np.tile(np.repeat(np.arange(len(kind.counts)), kind.counts), speakers)
    speaker = np.repeat(np.arange(speakers), sum(kind.counts))
    count = 1 + rng.poisson(kind.frames - 1, len(label))
    frames = rng.standard_normal((count.sum(), DIM)).astype(np.float32)
    tokens = Tokens(label, speaker, np.zeros_like(label))

    begin = time.process_time()
    found = comparisons(tokens, WITHIN)
    sequences = TokenFrames.of(frames, count)
    table = cells(found, distances(sequences, [each.block for each in found]))
    ours = (time.process_time() - begin) * TRIPLETS / table.triplets.sum()

    unit = [sequences.frames[o : o + n].numpy() for o, n in zip(sequences.offset, count, strict=True)]

    def by_librosa(x: int, y: int) -> float:
        total, path = librosa.sequence.dtw(C=np.arccos(np.clip(unit[x] @ unit[y].T, -1, 1)) / np.pi)
        return float(total[-1, -1]) / len(path)

    by_librosa(0, 1)  # compiles
    drawn = [_triplet(found, label, rng) for _ in range(20 if quick else 1000)]
    begin = time.process_time()
    for a, b, x in drawn:
        by_librosa(x, a), by_librosa(x, b)
    theirs = (time.process_time() - begin) * TRIPLETS / len(drawn)
    bar = None if quick else kind.bar
    name = f"ABX of {kind.name}, {TRIPLETS} triplets"
    yield Ratio.once(name, theirs / ours, f"{theirs:.2f} s", f"{ours:.4f} s", bar, "librosa's DTW, triplet by triplet")
    if find_spec("fastabx"):
        error, seconds = _fastabx(frames, tokens, count)
        assert abs(error - table.error) < 2e-4, f"fastabx finds {error}, we {table.error}"
        theirs = seconds * TRIPLETS / table.triplets.sum()
        bar = None if quick else kind.bar_fastabx
        yield Ratio.once(name, theirs / ours, f"{theirs:.4f} s", f"{ours:.4f} s", bar, "fastabx")


def _fastabx(frames: np.ndarray, tokens: Tokens, count: np.ndarray) -> tuple[float, float]:
    """The error and the processor seconds of fastabx on the same tokens, of one file at 50 frames a second."""
    from fastabx import zerospeech_abx

    first = np.cumsum(count) - count
    centres = zip((2 * first + 1).tolist(), (2 * (first + count) - 1).tolist(), strict=True)
    with TemporaryDirectory() as folder:
        torch.save(torch.from_numpy(frames), Path(folder, "all.pt"))
        lines = [
            f"all {start / 100} {end / 100} l{label} - - s{speaker}"
            for (start, end), label, speaker in zip(centres, tokens.label, tokens.speaker, strict=True)
        ]
        Path(folder, "all.item").write_text("\n".join([HEADER, *lines, ""]))
        given = Path(folder, "all.item"), folder
        begin = time.process_time()
        error = zerospeech_abx(*given, max_size_group=None, context="any", device="cpu", progress=False)
        return error, time.process_time() - begin


def _triplet(found: list[Comparisons], label: np.ndarray, rng: np.random.Generator) -> tuple[int, int, int]:
    """a, b and x, drawn one by one."""
    rows, columns = found[rng.integers(len(found))].block
    x = int(rng.choice(rows))
    same = label[columns] == label[x]
    a = int(rng.choice(columns[same & (columns != x)]))
    return a, int(rng.choice(columns[~same])), x
