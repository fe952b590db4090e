"""`s3prl-plugin select`: which tap to take for a task."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from s3prl_plugin.select import Recommendation

Number = TypeVar("Number", int, float)
SEEDS = "1337,1338,1339"
HELP = """Which layer to take for a task: from what a run measured at every tap, with the taps that are as good, a score
from folds that did not choose, and a configuration that is ready to run. --verify trains heads on all taps and says how
good the choice is."""
EXAMPLES = """examples:
  s3prl-plugin select demo_out --task PR
  s3prl-plugin select demo_out --task PR -o head.yaml
  s3prl-plugin select demo_out --task ASR --fine-tune cut -o upstream.yaml --corpus /data/LibriSpeech
  s3prl-plugin select study_out --task IC --upstream mono_base
  s3prl-plugin select out_mono_base out_b5_a --task PR --json
  s3prl-plugin select demo_out --task SID --verify --dry-run
  s3prl-plugin select demo_out --task SID --verify --seeds 1337,1338,1339 --steps 2000
  s3prl-plugin select study_out --task SID --verify           (upstream by upstream)
  s3prl-plugin select study_out --verified
  s3prl-plugin select study_out --against probe_phone

tasks and what decides: PR, QbE: cca_phone, mi_phone, abx_phone; ASR, KS: cca_word, cca_phone; IC, SF: cca_word;
SID, ASV, SD: cca_speaker, probe_speaker (unverified); SE, SS: cca_mel (weak); ER: nothing is known to work
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `select` takes."""
    parser.add_argument("expdir", nargs="+", type=Path, help="folders of runs, or of studies (one choice per upstream)")
    parser.add_argument(
        "--task",
        metavar="TASK",
        help="PR, QbE, ASR, IC, SF, KS, SID, ASV, SD, SE, SS, ER; --verified: only this one",
    )
    parser.add_argument("--upstream", metavar="NAME", help="only this upstream of a study: its folder, or its entry")
    parser.add_argument(
        "--prefer",
        choices=("cheapest", "best"),
        default="cheapest",
        help="of the taps within one standard error of the best: the lowest (default), or the one that scores highest",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the configuration: FILE.yaml")
    parser.add_argument(
        "--fine-tune",
        nargs="?",
        const="cut",
        choices=("cut", "reset", "freeze"),
        help="train the upstream, too: cut it above the tap (default), reset the layers above it to random weights, or "
        "freeze it up to the tap; without it the upstream is frozen and a head is trained",
    )
    parser.add_argument(
        "--corpus", metavar="CORPUS", help="of the task, for -o and --verify (default: that of the run)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table, a line per upstream")
    verify = parser.add_argument_group("--verify: heads on all state taps")
    verify.add_argument(
        "--verify", action="store_true", help="train them, and say what the choice costs; goes on where it was"
    )
    verify.add_argument(
        "--verified",
        action="store_true",
        help="what all finished verifications below EXPDIR say together: which measures guide, and whether one layer "
        "matches the weighted sum of all",
    )
    verify.add_argument(
        "--against",
        metavar="MEASURE",
        help="the same of another measure of the runs in the place of heads, such as probe_phone: nothing is trained",
    )
    verify.add_argument("--dry-run", action="store_true", help="say what it would train, and train nothing")
    verify.add_argument("--out", type=Path, metavar="FOLDER", help="of the heads (default: EXPDIR/select/TASK)")
    verify.add_argument("--seeds", metavar="N,N,N", help=f"of the heads (default: {SEEDS})")
    verify.add_argument(
        "--lr", metavar="RATE,RATE", help="learning rates to try (default: the task's, a tenth, ten times)"
    )
    verify.add_argument("--steps", type=int, metavar="N", help="of training (default: the run's, else SUPERB's)")
    verify.add_argument("--device", help="cpu, cuda, ... (default: what the machine has)")


def run(args: argparse.Namespace) -> int:
    """Choose, write, verify.

    Raises:
        UserError: something that the user can mend.
    """
    from s3prl_plugin import select

    _check(args)
    if args.verified or args.against:
        return _verified(args)
    criterion = select.criterion(args.task)
    sources = select.sources(args.expdir, args.upstream)
    if len(sources) > 1 and (args.output is not None or args.out is not None):
        _name_one(args, [source.name for source in sources])
    found = [select.recommend(criterion, source, args.prefer) for source in sources]
    if args.verify:
        return _verify(args, found[0]) if len(found) == 1 else _verify_all(args, found)
    outputs = [_shown(args, each) for each in found]
    print("\n".join(outputs) if args.json else "\n\n\n".join(outputs))
    return 0 if all(each.tap is not None for each in found) else 1


def _shown(args: argparse.Namespace, found: Recommendation) -> str:
    """One recommendation, written where that is asked for."""
    from s3prl_plugin import results
    from s3prl_plugin.select import text, written

    prepared = written.ready(found, args.fine_tune) if found.tap is not None else None
    if prepared is not None and args.output is not None:
        with results.at_place_of_user(args.output):
            prepared = written.write(found, prepared, args.output, args.corpus)
    return json.dumps(text.record(found, prepared), ensure_ascii=False) if args.json else text.text(found, prepared)


def _verify_all(args: argparse.Namespace, found: Sequence[Recommendation]) -> int:
    """The upstreams of a study, one after the other; what cannot be verified keeps no other from it."""
    from s3prl_plugin.errors import UserError

    worst = 0
    for number, each in enumerate(found):
        if number and not (args.json or args.dry_run):
            print("\n")
        try:
            worst = max(worst, _verify(args, each))
        except UserError as error:
            worst = 2
            _say(f"{each.source.name}: {error}")
    return worst


def _verify(args: argparse.Namespace, found: Recommendation) -> int:
    """Train heads on all taps, and say how good the choice is."""
    from s3prl_plugin import results, run_downstream
    from s3prl_plugin.errors import UserError
    from s3prl_plugin.report import tables
    from s3prl_plugin.report.text import text as written
    from s3prl_plugin.select import text, verify
    from s3prl_plugin.select.verify import outcome, sections, trial

    task = found.criterion.task
    if found.tap is None:
        raise UserError("; ".join(text.missing(found, each) for each in found.absent))
    folder = args.out or found.source.folder / trial.FOLDER / task
    seeds, rates = _numbers("--seeds", args.seeds or SEEDS, int), args.lr and _numbers("--lr", args.lr, float)
    store = None if args.out else found.source.folder / trial.FOLDER / "store"
    plan = verify.planned(task, found.source, folder, seeds, rates, args.steps, args.corpus, args.device, store)
    for line in plan.cost():
        _say(line)
    if args.dry_run:
        return 0
    training = verify.VerifyTraining(plan, _say, run_downstream.main)
    training.all()
    said = outcome.trial(plan, found, training.heads, training.failures)
    path = folder / trial.FILE_NAME
    results.replace_file(path, f"{json.dumps(said.as_json(), ensure_ascii=False)}\n".encode())
    section = sections.of_one(said, tables.headline([row for row in found.source.rows if row.tap is not None]))
    print(json.dumps(section.as_json(), ensure_ascii=False) if args.json else written([section]), end="")
    _say(f"kept: {path}")
    return 1 if training.failures else 0


def _verified(args: argparse.Namespace) -> int:
    """What all finished verifications, or all runs, say together."""
    from s3prl_plugin import select
    from s3prl_plugin.errors import UserError
    from s3prl_plugin.inference.folders import folders
    from s3prl_plugin.report.text import text
    from s3prl_plugin.select.verify import outcome, sections, trial

    if args.against:
        runs = select.sources(args.expdir)
        found = [outcome.against(each.rows, args.against, str(each.folder)) for each in runs]
    else:
        found = [each for expdir in args.expdir for folder in folders(expdir) for each in trial.below(folder)]
    found = [each for each in found if args.task is None or each.task.lower() == args.task.lower()]
    if not found:
        where, of_task = ", ".join(map(str, args.expdir)), f" of {args.task}" if args.task else ""
        raise UserError(f"{where}: no finished verification{of_task}; `--task TASK --verify` makes one")
    said = sections.of_several(found)
    print(json.dumps([each.as_json() for each in said], ensure_ascii=False) if args.json else text(said), end="")
    return 0


def _say(line: str) -> None:
    """Tell the user; results alone go to the standard output."""
    print(f"[select] {line}", file=sys.stderr, flush=True)


def _numbers(flag: str, given: str, kind: Callable[[str], Number]) -> list[Number]:
    """Numbers separated by commas."""
    from s3prl_plugin.errors import UserError

    try:
        found = [kind(word) for word in given.split(",")]
    except ValueError:
        found = []
    if not found or any(not number > 0 for number in found):
        raise UserError(f"{flag} {given}: give numbers above 0, separated by commas")
    return found


def _check(args: argparse.Namespace) -> None:
    """Refuse flags that would be ignored."""
    from s3prl_plugin.errors import UserError

    of_all = "--verified" if args.verified else "--against" if args.against else None
    if args.task is None and of_all is None:
        raise UserError("name a task: --task PR")
    for name in ("verify", "output", "fine_tune", "corpus", "upstream", *(["against"] if args.verified else ["task"])):
        if of_all and getattr(args, name):
            raise UserError(f"{of_all} shows what is finished: leave out --{name.replace('_', '-')}")
    if args.dry_run and not args.verify:
        raise UserError("--dry-run says what --verify would train: give --verify, too")
    if args.verify and args.output is not None:
        raise UserError("--verify trains heads, and -o writes a configuration: ask for one of them")
    if args.verify and args.fine_tune:
        raise UserError("--verify trains heads on the frozen upstream: leave out --fine-tune")
    if args.corpus and args.output is None and not args.verify:
        raise UserError(f"--corpus {args.corpus}: it is the corpus of a written configuration; give -o FILE.yaml, too")
    for name in ("out", "lr", "steps", "device", "seeds"):
        if getattr(args, name) is not None and not args.verify:
            raise UserError(f"--{name} {getattr(args, name)}: it is about the heads of --verify; give that, too")


def _name_one(args: argparse.Namespace, names: list[str]) -> None:
    """Refuse what can be done for one upstream only."""
    from s3prl_plugin.errors import UserError

    flag = f"--out {args.out}" if args.out is not None else f"-o {args.output}"
    raise UserError(f"{flag} is about one upstream, and there are several; name one by --upstream: {', '.join(names)}")
