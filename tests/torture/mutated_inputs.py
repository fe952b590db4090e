"""Broken input for -c, -g and -o: each is taken or refused in one line, never with a traceback.

    python tests/torture/mutated_inputs.py [--count 3000] [--seed 0]

Not a test of pytest, which tries a hundred of each (tests/s3prl_plugin/test_mutated_inputs.py). Prints what failed, and
exits with 1 where something did.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

import mutated_runs


def main() -> int:
    """Try them all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for flag, attempt in mutated_runs.FLAGS.items():
            began, outcomes = time.monotonic(), Counter()
            draw = random.Random(args.seed)
            for number in range(args.count):
                outcome, given, error = attempt(draw, Path(folder))
                outcomes[outcome] += 1
                if error is not None:
                    failed += 1
                    print(f"{flag} {number}: {type(error).__name__}: {error}\n{given!r}\n", flush=True)
            print(f"{flag}: {dict(outcomes)} in {time.monotonic() - began:.0f} s", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
