"""The measures of single frames, as the options of the analysis ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir, shared_reservoir
from s3prl_plugin.downstream.mi.frames import FramePurity
from s3prl_plugin.downstream.mi.parity import FrameParity
from s3prl_plugin.states.taps import SAMPLE_RATE, Tap
from s3prl_plugin.strides import Stride

FRAME_MEASURES = (FramePurity.name, FrameParity.name)


def build(
    wanted: Sequence[str],
    gathering: Gathering,
    taps: Sequence[Tap],
    strides: Sequence[Stride],
    options: Options,
    make_row: RowMaker,
    say: Callable[[str], None],
) -> list[Measure]:
    """Those of `FRAME_MEASURES` that are wanted.

    Args:
        wanted: measures of any kind.
        gathering: of the run; gets the reservoirs.
        taps: that are measured.
        strides: of all taps of the upstream, in samples; they decide the grids.
        options, make_row: of the analysis.
        say: tells the user.

    Raises:
        UserError: an option cannot be used.
    """
    plan = gathering.plan
    clusters, seeds = options["frame_clusters"], options["seeds"]
    permutations = options["frame_permutations"]
    silence, intervals = options["silence"], options["intervals"]
    grid = _grid(strides, options)
    limits = options["sampled_per_utterance"], options["sampled_frames"]

    def reservoir(stride: Stride | None) -> FrameReservoir:
        return shared_reservoir(gathering, taps, *limits, stride)

    built: list[Measure] = []
    if FramePurity.name in wanted:
        cells = reservoir(grid)
        purity = FramePurity(cells, plan, grid, make_row, clusters, seeds, permutations, silence, intervals)
        say(purity.line())
        built.append(purity)
    if FrameParity.name in wanted:
        own = reservoir(None) if len(set(strides)) > 1 else None
        built.append(FrameParity(own, taps, max(strides), plan, make_row, clusters, seeds, intervals))
    return built


def _grid(strides: Sequence[Stride], options: Options) -> Stride:
    """The stride on which mi_frames sees all taps, in samples."""
    if options["frame_ms"] is None:
        return max(strides)
    samples = options["frame_ms"] * SAMPLE_RATE / 1000
    if samples != int(samples):
        raise options.error("frame_ms", f"a whole number of samples at {SAMPLE_RATE} Hz, such as 20, 40 or 80")
    return int(samples)
