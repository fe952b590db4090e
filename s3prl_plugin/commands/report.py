"""`s3prl-plugin report`: tables and figures from the results of runs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

HELP = "tables, leaderboard and figures from results"
FORMATS = (".md", ".csv", ".json")
EXAMPLES = """examples:
  s3prl-plugin report demo_out
  s3prl-plugin report demo_out --figures figures --format pdf
  s3prl-plugin report demo_out --json | jq .value
  s3prl-plugin report demo_out --differences
  s3prl-plugin report out_mono_base out_b5_a --differences
  s3prl-plugin report --table out_*
  s3prl-plugin report --table out_* -o leaderboard.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `report` takes."""
    parser.add_argument("expdir", nargs="+", type=Path, help="folders of runs (each holds a results.jsonl)")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="also save the layer curves of every run there")
    parser.add_argument("--format", choices=("png", "svg", "pdf"), default="png", help="of the figures (default: png)")
    parser.add_argument(
        "--differences",
        action="store_true",
        help="paired differences: in one folder every tap less the best one, in two the first less the second",
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="the leaderboard: one line per upstream, SUPERB's columns, superb_s, ranks; several seeds are averaged",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="also write the leaderboard there: FILE.md, FILE.csv or FILE.json",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON in place of tables: every row as a line, or with --table the leaderboard",
    )


def run(args: argparse.Namespace) -> int:
    """Print, and draw where asked."""
    from s3prl_plugin import results
    from s3prl_plugin.report import difference_table, figures, table

    _check(args)
    if args.table:
        return _leaderboard(args)
    if args.differences:
        runs = [results.read(folder) for folder in args.expdir]
        lines = (json.dumps(record, ensure_ascii=False) for record in difference_table.records(runs))
        print("\n".join(lines) if args.json else difference_table.text(runs))
        return 0
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


def _check(args: argparse.Namespace) -> None:
    """Refuse flags that would be ignored."""
    from s3prl_plugin.errors import UserError

    if args.table and args.differences:
        raise UserError("--table and --differences are two reports: ask for one of them")
    if args.differences and args.figures:
        raise UserError("--figures draws the layer curves, not their differences: leave out --differences or --figures")
    if args.table and args.figures:
        raise UserError(
            "--figures draws the layer curves, which the leaderboard has not: leave out --table or --figures"
        )
    if args.output is not None and not args.table:
        raise UserError(f"-o {args.output}: only the leaderboard is written to a file; give --table, too")
    if args.output is not None and args.output.suffix not in FORMATS:
        raise UserError(f"-o {args.output}: the ending decides the format; give one of {', '.join(FORMATS)}")


def _leaderboard(args: argparse.Namespace) -> int:
    """Print the leaderboard, and write it where asked."""
    from s3prl_plugin import results, study
    from s3prl_plugin.report import leaderboard, leaderboard_data, leaderboard_text

    folders = dict.fromkeys(folder for expdir in args.expdir for folder in study.folders(expdir))
    boards = leaderboard.boards([(folder, results.read(folder)) for folder in folders])
    if args.output is not None:
        formats = {
            ".md": lambda: leaderboard_text.text(boards, leaderboard_text.MARKDOWN),
            ".csv": lambda: leaderboard_data.to_csv(boards),
            ".json": lambda: leaderboard_data.to_json(boards),
        }
        results.replace_file(args.output, formats[args.output.suffix]().encode("utf-8"))
    print(leaderboard_data.to_json(boards) if args.json else leaderboard_text.text(boards), end="")
    if args.output is not None:
        print(f"leaderboard: {args.output}", file=sys.stderr)
    return 0
