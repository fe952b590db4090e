"""How far apart tokens are: the angle of their frames, along the cheapest path."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from s3prl_plugin.analysis.tokens.dtw import margin, warped

CELLS = 1 << 23  # of frames with frames that are kept at once
Block = tuple[np.ndarray, np.ndarray]
"""Rows and columns: numbers of tokens whose distances are wanted, all with all."""


@dataclass(frozen=True, eq=False)
class TokenFrames:
    """The frames of tokens at one tap, as unit vectors.

    Attributes:
        frames: (F, D) of all tokens, one after the other; on the device that computes.
        offset: (N,) the first frame of every token.
        count: (N,) how many it has.
        codes: (F,) which of `frames`' distinct rows each is, where equal ones are to be exactly equal.
        zeros: how many frames are zero vectors.
    """

    frames: torch.Tensor
    offset: np.ndarray
    count: np.ndarray
    codes: torch.Tensor | None = None
    zeros: int = 0

    @classmethod
    def of(
        cls, rows: npt.ArrayLike, count: np.ndarray, dtw: bool = True, discrete: bool = False, device: str = "cpu"
    ) -> TokenFrames:
        """From the frames of all tokens.

        Args:
            rows: (F, D) one token after the other.
            count: (N,) frames of each, one at least.
            dtw: else a token is the mean of its frames.
            discrete: rows are codes of a codebook: equal ones are at distance 0 of each other, not at that of rounding.
            device: that computes.
        """
        frames = torch.as_tensor(np.asarray(rows, dtype=np.float32))
        count = np.asarray(count, dtype=np.int64)
        offset = np.cumsum(count) - count
        zeros = int((torch.linalg.vector_norm(frames, dim=1) == 0).sum())
        if not dtw:
            frames = torch.from_numpy(
                np.add.reduceat(frames.numpy(), offset, axis=0, dtype=np.float64) / count[:, None]
            )
            count, offset = np.ones_like(count), np.arange(len(count))
        codes = None
        if discrete and dtw:
            frames, codes = torch.unique(frames, dim=0, return_inverse=True)
        codes = codes if codes is None else codes.to(device)
        return cls(unit_vectors(frames.float()).to(device), offset, count, codes, zeros)

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.count)


def unit_vectors(frames: torch.Tensor) -> torch.Tensor:
    """(F, D) of length 1; a zero vector becomes that of equal entries, as in fastabx."""
    norm = torch.linalg.vector_norm(frames, dim=1, keepdim=True)
    zero = norm.squeeze(1) == 0
    unit = frames / norm.masked_fill_(zero[:, None], 1)
    if zero.any():
        unit[zero] = 1 / math.sqrt(frames.shape[1])
    return unit


def distances(tokens: TokenFrames, blocks: Sequence[Block]) -> Iterator[np.ndarray]:
    """The distances of every block, in order: mean angle over pi along the cheapest path, in [0, 1].

    A pair that a block has twice, in both directions, is computed once.

    Args:
        tokens: at one tap.
        blocks: of tokens.

    Yields:
        (R, C) float32 per block; NaN for a token with itself.
    """
    waiting: list[_Piece] = []
    cells = 0
    for rows, columns in blocks:
        matrix = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        breadth = int(tokens.count[columns].sum())
        for part in _parts(tokens.count[rows], max(CELLS // max(breadth, 1), 1)):
            waiting.append(_Piece(rows, columns, part, matrix))
            cells += int(tokens.count[rows[part]].sum()) * breadth
            if cells > CELLS:
                yield from _computed(tokens, waiting)
                waiting, cells = [], 0
    if waiting:
        yield from _computed(tokens, waiting)


def working_bytes(count: np.ndarray, dim: int) -> int:
    """The memory that distances of some tokens take, about: unit vectors, and 16 bytes for two frames held at once.

    Measured as growth of the process, of 2200 tokens of 4, 2 and 1.3 frames: 144, 135 and 118 MB where this says 139,
    137 and 136 (64 dimensions); of 4 and 2 frames of 768 dimensions 175 and 155 MB, where this says 188 and 161.

    Args:
        count: (N,) frames of every token.
        dim: of a frame.
    """
    frames = int(count.sum())
    return 16 * min(CELLS, frames**2) + 8 * frames * dim


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Some rows of a block, and the block's distances."""

    rows: np.ndarray
    columns: np.ndarray
    part: slice
    matrix: np.ndarray

    @property
    def last(self) -> bool:
        return self.part.stop == len(self.rows)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Which are to be computed: positions among the part's rows, and among the columns."""
        rows, columns = self.rows[self.part, None], self.columns[None]
        mirrored = np.isin(columns, self.rows) & np.isin(rows, self.columns) & (columns < rows)
        row, column = np.nonzero(~mirrored & (rows != columns))
        return row, column

    def mirror(self) -> None:
        """Fill in what was computed the other way round, once all rows are there."""
        _, row, column = np.intersect1d(self.rows, self.columns, assume_unique=True, return_indices=True)
        square = self.matrix[np.ix_(row, column)]
        self.matrix[np.ix_(row, column)] = np.where(np.isnan(square), square.T, square)


def _computed(tokens: TokenFrames, pieces: Sequence[_Piece]) -> Iterator[np.ndarray]:
    """The matrices that are complete with these pieces."""
    if tokens.count.max(initial=1) == 1:
        for piece in pieces:
            piece.matrix[piece.part] = _angles(tokens, piece).cpu().numpy()
            piece.matrix[piece.part][piece.rows[piece.part, None] == piece.columns] = np.nan
    else:
        _warped(tokens, pieces)
        for piece in pieces:
            if piece.last:
                piece.mirror()
    yield from (piece.matrix for piece in pieces if piece.last)


def _warped(tokens: TokenFrames, pieces: Sequence[_Piece]) -> None:
    """Fill in all pairs of some pieces."""
    longest = int(tokens.count.max(initial=1))
    found, start, width, sides, base = [], [], [], [], 0
    spare = 0
    for piece in pieces:
        rows, columns = piece.rows[piece.part], piece.columns
        angles = _angles(tokens, piece)
        found.append(angles.flatten())
        row, column = piece.pairs()
        breadth = angles.shape[1]
        top = np.cumsum(tokens.count[rows]) - tokens.count[rows]
        left = np.cumsum(tokens.count[columns]) - tokens.count[columns]
        start.append(base + top[row] * breadth + left[column])
        width.append(np.full(len(row), breadth))
        sides.append((row, column, tokens.count[rows[row]], tokens.count[columns[column]]))
        base += angles.numel()
        spare = max(spare, margin(longest, longest, breadth) + longest * breadth)
    found.append(torch.zeros(spare, device=tokens.frames.device))
    n, m = (np.concatenate([each[side] for each in sides]) for side in (2, 3))
    values = warped(torch.cat(found), np.concatenate(start), np.concatenate(width), n, m)
    for piece, (row, column, _, _), part in zip(
        pieces, sides, np.split(values, np.cumsum([len(each[0]) for each in sides])[:-1]), strict=True
    ):
        piece.matrix[piece.part][row, column] = part


def _angles(tokens: TokenFrames, piece: _Piece) -> torch.Tensor:
    """All frames of a piece's rows with all of its columns, (sum of rows' frames, sum of columns' frames)."""
    one, other = (
        torch.from_numpy(_frames_of(tokens, each)).to(tokens.frames.device)
        for each in (piece.rows[piece.part], piece.columns)
    )
    if tokens.codes is not None:
        one, other = tokens.codes[one], tokens.codes[other]
    cosine = tokens.frames[one] @ tokens.frames[other].T
    angle = cosine.clamp_(-1, 1).acos_().div_(math.pi)
    return angle if tokens.codes is None else angle.masked_fill_(one[:, None] == other, 0)


def _frames_of(tokens: TokenFrames, which: np.ndarray) -> np.ndarray:
    """Positions of the frames of some tokens, one after the other."""
    count = tokens.count[which]
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(tokens.offset[which], count) + within


def _parts(count: np.ndarray, most: int) -> Iterator[slice]:
    """Rows in order, as many at once as have `most` frames, one at least."""
    first, held = 0, 0
    for row, frames in enumerate(count.tolist()):
        if row > first and held + frames > most:
            yield slice(first, row)
            first, held = row, 0
        held += frames
    yield slice(first, len(count))
