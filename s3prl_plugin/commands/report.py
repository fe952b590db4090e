"""`s3prl-plugin report`: the page, tables and figures from the results of runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s3prl_plugin.results import Row

HELP = "a page, tables, leaderboard and figures from results"
PAGE = ".html"
FORMATS = (".md", ".csv", ".json")
EXAMPLES = """examples:
  s3prl-plugin report demo_out
  s3prl-plugin report demo_out -o report.html
  s3prl-plugin report STUDY -o report.html
  s3prl-plugin report demo_out --figures figures --format pdf,svg --width column
  s3prl-plugin report demo_out --figures figures --measures cca_phone,mi_phone
  s3prl-plugin report demo_out --json | jq .value
  s3prl-plugin report demo_out --differences
  s3prl-plugin report out_mono_base out_b5_a --differences
  s3prl-plugin report STUDY --compare
  s3prl-plugin report --table out_*
  s3prl-plugin report --table out_* -o leaderboard.md
  s3prl-plugin report OUT --submission
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `report` takes."""
    parser.add_argument(
        "expdir", nargs="+", type=Path, help="folders of runs (each holds a results.jsonl), or of a study"
    )
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="also save figures for print there: layer curves, matrices of taps, weights; of each run and of all",
    )
    parser.add_argument("--format", help="of the figures: png, svg, pdf or several (default: png)")
    parser.add_argument("--width", choices=("column", "page"), help="of the figures (default: page)")
    parser.add_argument(
        "--measures",
        metavar="NAME,NAME",
        help="of the figures: layer curves of these alone (default: all that there is)",
    )
    parser.add_argument(
        "--differences",
        action="store_true",
        help="paired differences: in one folder every tap less the best one, in two the first less the second",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="what models differ by, and what these differences isolate: of a study, or of several runs",
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="the leaderboard: one line per upstream, SUPERB's columns, superb_s, ranks; several seeds are averaged",
    )
    parser.add_argument(
        "--submission",
        action="store_true",
        help="whether a run's folder holds what the SUPERB leaderboard takes: task by task, and what is wrong",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="FILE.html: write everything as one page that needs no network, for reading in a browser; "
        "with --table also write the leaderboard: FILE.md, FILE.csv or FILE.json",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON in place of tables: every row as a line, or with --table the leaderboard",
    )


def run(args: argparse.Namespace) -> int:
    """Print, and draw where asked."""
    from s3prl_plugin import results
    from s3prl_plugin.errors import UserError
    from s3prl_plugin.inference import current
    from s3prl_plugin.inference.folders import folders as folders_of
    from s3prl_plugin.report import differences, tables, text

    _check(args)
    if args.submission:
        return _submission(args)
    folders = [folder for expdir in args.expdir for folder in folders_of(expdir)]
    once = list(dict.fromkeys(folders))
    if args.compare:
        return _comparison(args, once)
    current.say(once)
    if args.table:
        return _leaderboard(args, once)
    if args.output is not None:
        _page(args)
        if not (args.figures or args.json):
            return 0
    found = [(folder, current.read(folder).rows) for folder in folders]
    if not any(rows for _, rows in found):
        given = ", ".join(map(str, args.expdir))
        raise UserError(f"{given}: the results are empty; run an analysis or a task first")
    if args.differences:
        runs, names = [rows for _, rows in found], [str(folder) for folder in folders]
        lines = (json.dumps(record, ensure_ascii=False) for record in differences.records(runs, names))
        print("\n".join(lines) if args.json else text.text(differences.sections(runs, names)).rstrip())
        return 0
    for folder, rows in found:
        for group in tables.groups(rows):
            if args.json:
                print("\n".join(results.line(row) for row in group))
            elif args.output is None:
                print(text.text([tables.of_run(group, str(folder) if len(once) > 1 else None)]))
    if args.figures:
        _figures(args, found)
    return 0


def _page(args: argparse.Namespace) -> None:
    """Write the page, and say where it is and how large."""
    from s3prl_plugin import results
    from s3prl_plugin.questions import asking
    from s3prl_plugin.report import page

    with results.at_place_of_user(args.output):
        path = page.write(args.expdir, args.output, asking.sections)
    said = f"page: {path} ({path.stat().st_size / 1e6:.1f} MB; open it in a browser)"
    print(said, file=sys.stderr if args.json else sys.stdout, flush=True)


def _figures(args: argparse.Namespace, runs: Sequence[tuple[Path, Sequence[Row]]]) -> None:
    """Save the figures, and name each as soon as it is there."""
    from s3prl_plugin import results
    from s3prl_plugin.report import drawing

    kinds = drawing.formats(args.format or "png")
    wanted = args.measures.split(",") if args.measures else None
    with results.at_place_of_user(args.figures):
        for path in drawing.write(
            drawing.named(runs), args.figures, kinds, width=args.width or "page", measures=wanted
        ):
            print(f"figure: {path}", file=sys.stderr if args.json else sys.stdout, flush=True)


def _check(args: argparse.Namespace) -> None:
    """Refuse flags that would be ignored."""
    from s3prl_plugin.errors import UserError
    from s3prl_plugin.report import drawing

    drawing.formats(args.format or "png")
    for name in ("format", "width", "measures"):
        if getattr(args, name) is not None and args.figures is None:
            raise UserError(f"--{name} {getattr(args, name)}: it is about figures; give --figures DIR, too")
    if args.submission:
        other = next((name for name in ("table", "compare", "differences", "figures") if getattr(args, name)), None)
        if other is not None or args.output is not None:
            raise UserError(f"--submission and {'-o' if other is None else f'--{other}'}: ask for one of them")
        if len(args.expdir) > 1:
            raise UserError("--submission is about one run: give its folder alone")
    if args.compare and (args.table or args.differences or args.figures):
        other = next(name for name in ("table", "differences", "figures") if getattr(args, name))
        raise UserError(f"--compare and --{other} are two reports: ask for one of them")
    if args.table and args.differences:
        raise UserError("--table and --differences are two reports: ask for one of them")
    if args.differences and args.figures:
        raise UserError("--figures draws the layer curves, not their differences: leave out --differences or --figures")
    if args.table and args.figures:
        raise UserError(
            "--figures draws the layer curves, which the leaderboard has not: leave out --table or --figures"
        )
    if args.output is not None and args.output.suffix.lower() == PAGE and not args.table:
        if args.compare or args.differences:
            other = "compare" if args.compare else "differences"
            raise UserError(f"-o {args.output}: the page holds these comparisons already; leave out --{other}")
        return
    if args.output is not None and not args.table:
        raise UserError(f"-o {args.output}: give FILE{PAGE} for the page, or --table, too, for the leaderboard")
    if args.output is not None and args.output.suffix not in FORMATS:
        raise UserError(f"-o {args.output}: the ending decides the format; give one of {', '.join(FORMATS)}")


def _comparison(args: argparse.Namespace, folders: Sequence[Path]) -> int:
    """Print what the models differ by."""
    from s3prl_plugin.questions import asking
    from s3prl_plugin.report import text

    found = asking.report(folders)
    if args.json:
        print(json.dumps(found.as_json(), ensure_ascii=False))
    else:
        print(text.text(found.sections, (*found.banners, *found.notes), brief=len(found.models) > 2), end="")
    return 0


def _submission(args: argparse.Namespace) -> int:
    """Print what of a run can be handed in."""
    from s3prl_plugin.inference import current
    from s3prl_plugin.report import text
    from s3prl_plugin.report.leaderboard import submission

    (folder,) = args.expdir
    found = submission.check(folder, current.read(folder).rows)
    shown = text.text([submission.section(folder, found)])
    print(json.dumps([asdict(one) for one in found], indent=1) + "\n" if args.json else shown, end="")
    return int(any(one.faults for one in found))


def _leaderboard(args: argparse.Namespace, folders: Sequence[Path]) -> int:
    """Print the leaderboard, and write it where asked."""
    from s3prl_plugin import results
    from s3prl_plugin.inference import current
    from s3prl_plugin.report import text
    from s3prl_plugin.report.leaderboard import data, sections, standings

    boards = standings.boards([(folder, current.read(folder).rows) for folder in folders])
    if args.output is not None:
        formats = {
            ".md": lambda: "# SUPERB leaderboard\n\n" + text.text(sections.sections(boards), markdown=True),
            ".csv": lambda: data.to_csv(boards),
            ".json": lambda: data.to_json(boards),
        }
        content = formats[args.output.suffix]().encode("utf-8")
        with results.at_place_of_user(args.output):
            results.replace_file(args.output, content)
    print(data.to_json(boards) if args.json else text.text(sections.sections(boards)), end="")
    if args.output is not None:
        print(f"leaderboard: {args.output}", file=sys.stderr)
    return 0
