"""`s3prl-plugin report`: tables and figures from the results of runs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

HELP = "tables and figures from results"
EXAMPLES = """examples:
  s3prl-plugin report demo_out
  s3prl-plugin report demo_out --figures figures --format pdf
  s3prl-plugin report demo_out --json | jq .value
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `report` takes."""
    parser.add_argument("expdir", nargs="+", type=Path, help="folders of runs (each holds a results.jsonl)")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="also save the layer curves of every run there")
    parser.add_argument("--format", choices=("png", "svg", "pdf"), default="png", help="of the figures (default: png)")
    parser.add_argument("--json", action="store_true", help="print every row as a line of JSON in place of tables")


def run(args: argparse.Namespace) -> int:
    """Print, and draw where asked."""
    from s3prl_plugin import results
    from s3prl_plugin.report import figures, table

    for folder in args.expdir:
        for number, group in enumerate(table.groups(results.read(folder)), 1):
            if args.json:
                print("\n".join(json.dumps(asdict(row), ensure_ascii=False) for row in group))
            else:
                print(table.whole(group) + "\n")
            if args.figures:
                path = args.figures / f"{folder.resolve().name}-{number}.{args.format}"
                figures.layer_curves(group, path)
                print(f"layer curves: {path}", file=sys.stderr if args.json else sys.stdout)
    return 0
