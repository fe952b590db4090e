"""`python -m benchmarks SUBJECT`: how fast this plugin is beside what it replaces, measured here and now."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs.exit_status import exit_status

if TYPE_CHECKING:
    from benchmarks.ratios import Ratio

HELP = "Measure how fast this plugin is beside what it replaces."
EXAMPLES = """examples:
  python -m benchmarks forward
  python -m benchmarks forward --threads 2 --rounds 9
  python -m benchmarks forward --quick --json
  python -m benchmarks analysis
  python -m benchmarks protocol
  python -m benchmarks fine_tuning
  python -m benchmarks pretrain
  python -m benchmarks store
  python -m benchmarks long_utterance
  python -m benchmarks abx
  python -m benchmarks start_up

A ratio says how many times less it costs here; its spread is over the rounds, in which both sides take turns. Let the
machine be otherwise quiet. The exit status is 1 where a bar is not reached.
"""
SUBJECTS = {
    "forward": "our MR-HuBERT beside s3prl's multires_hubert, at base size",
    "analysis": "the bare forward pass beside what CCA and MI of every layer add to it; memory over hours",
    "protocol": "the published CCA protocol done the plain way beside ours, from one pass of statistics",
    "fine_tuning": "a training step of the whole network beside one that is cut, and one that is frozen in part",
    "pretrain": "the steps of a pre-training beside the reading of their audio",
    "store": "training a head with s3prl alone beside the same with a feature store, at base size (5 minutes)",
    "long_utterance": "6 GB of memory beside what an utterance of 20 minutes takes, at base size (half an hour)",
    "start_up": "importing torch alone beside commands, in processor time",
    "abx": "librosa's DTW, triplet by triplet, beside ABX by cells",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    what = "; ".join(f"{name}: {line}" for name, line in SUBJECTS.items())
    parser.add_argument("subject", choices=SUBJECTS, help=what)
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="how often each side is run (default: 5; 2 with --quick)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of torch (default: its own)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ... (default: cpu)")
    parser.add_argument("--quick", action="store_true", help="a small size: does everything work? no bars")
    parser.add_argument("--json", action="store_true", help="a line per ratio: name, ratio, bar, ...")


def run(args: argparse.Namespace) -> int:
    """Measure, and print every ratio as soon as it is known.

    Raises:
        UserError: an argument is not possible.
    """
    for name in ("rounds", "threads"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise UserError(f"--{name} {getattr(args, name)}: give 1 or more")
    import torch

    from benchmarks.ratios import Measuring

    if args.device != "cpu" and not torch.cuda.is_available():
        raise UserError(f"--device {args.device}: torch {torch.__version__} sees no GPU here; leave --device out")
    if args.threads:
        torch.set_num_threads(args.threads)
    settings = Measuring(quick=args.quick, rounds=args.rounds or (2 if args.quick else 5), device=args.device)
    subject = importlib.import_module(f"benchmarks.{args.subject}")
    if not args.json:
        how = f"{torch.get_num_threads()} threads, {settings.rounds} rounds"
        if not getattr(subject, "IN_ROUNDS", True):
            how = "one thread, seconds of the processor"
        print(f"torch {torch.__version__}, {args.device}, {how}\n")
        print(_line("", "beside", "ours", "ratio", "spread", "bar"))
    short = False
    output = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # what is measured may talk
        for ratio in subject.measure(settings):
            print(_json(ratio) if args.json else _row(ratio), file=output, flush=True)
            short |= not ratio.reached
    return int(short)


def _json(ratio: Ratio) -> str:
    """A ratio for programs."""
    found = {"name": ratio.name, "ratio": ratio.value, "bar": ratio.bar, "low": ratio.low, "high": ratio.high}
    return json.dumps({**found, "there": ratio.there, "here": ratio.here, "note": ratio.note})


def _row(ratio: Ratio) -> str:
    """A ratio for people."""
    bar = "" if ratio.bar is None else f"{ratio.bar:.2f} {'reached' if ratio.reached else 'MISSED'}"
    spread = f"{ratio.low:.2f} to {ratio.high:.2f}" if ratio.low < ratio.high else ""
    line = _line(ratio.name, ratio.there, ratio.here, f"{ratio.value:.2f}", spread, bar)
    return f"{line}\n    {ratio.note}" if ratio.note else line


def _line(name: str, there: str, here: str, ratio: str, spread: str, bar: str) -> str:
    """A line of the table."""
    return f"{name:44}{there:>10}{here:>10}{ratio:>8}  {spread:>14}  {bar}".rstrip()


def main(argv: Sequence[str] | None = None) -> int:
    """Read the arguments and measure; a mistake is reported in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return exit_status(lambda: run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
