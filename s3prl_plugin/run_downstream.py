"""`python -m s3prl_plugin.run_downstream`: s3prl's entry point with the plugin's upstreams, downstreams and runner.

Every flag but --tasks, --json and --plugin is s3prl's own; see `arguments` for what is completed and checked.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def main(argv: Sequence[str] | None = None) -> int:
    """Run s3prl's run_downstream.

    Args:
        argv: its flags; by default those of the command line.

    Returns:
        The exit status: 0; 1 where a part of a suite or an upstream of a study failed.

    Raises:
        UserError: a flag, a name or a file that the user can mend.
    """
    flags = list(sys.argv[1:] if argv is None else argv)
    if {"-h", "--help"} & set(flags):
        from s3prl_plugin.running import flags as known

        print(known.text(), end="")
        return 0
    import s3prl_plugin
    from s3prl_plugin.compat import distributions

    s3prl_plugin.register()
    distributions.check()
    import torch
    from s3prl import run_downstream as stock

    from s3prl_plugin.compat.distributed import patience
    from s3prl_plugin.compat.replaced import replaced
    from s3prl_plugin.compat.torch import cuda_is_hidden
    from s3prl_plugin.files import unfinished
    from s3prl_plugin.jobs.process import command
    from s3prl_plugin.running import arguments
    from s3prl_plugin.running.progress import Progress
    from s3prl_plugin.running.runner import Runner
    from s3prl_plugin.study.runner import StudyRunner

    read_arguments = stock.get_downstream_args
    runners: list[Runner | StudyRunner] = []
    displays: list[Progress] = []
    with ExitStack() as stack:
        if "--json" in flags:
            stack.enter_context(redirect_stdout(sys.stderr))

        def get_downstream_args() -> tuple[argparse.Namespace, dict[str, Any], list[str]]:
            with replaced(stock, argparse=SimpleNamespace(ArgumentParser=arguments.Parser)):
                args, config, backup_files = read_arguments()
            # none of s3prl's arguments, all of which it hands to every downstream
            config = arguments.chosen(config, vars(args).pop("tasks", None))
            arguments.check_run(args, config)
            if int(os.environ.get("RANK", 0)) == 0:
                unfinished.remove(Path(args.expdir))
            if torch.device(args.device).type == "cpu":  # s3prl chooses a CUDA device for every rank before its runner
                stack.enter_context(cuda_is_hidden())
            if args.downstream == "suite" and args.mode == "train" and "study" not in config:
                displays.append(stack.enter_context(Progress(args.expdir)))
                displays[0].begin(f"loading {args.upstream}")
            return args, config, backup_files

        def runner_of(args: argparse.Namespace, config: dict[str, Any]) -> Runner | StudyRunner:
            runner: Runner | StudyRunner
            if "study" in config:
                runner = StudyRunner(args, config)
            else:
                runner = Runner(args, config)
                runner.progress = displays[0] if displays else None
            runners.append(runner)
            return runner

        stack.enter_context(replaced(stock, Runner=runner_of, get_downstream_args=get_downstream_args))
        stack.enter_context(replaced(sys, argv=[arguments.PROGRAM, *flags]))
        stack.enter_context(patience())
        try:
            stock.main()
        except KeyboardInterrupt:
            if runners and not {"suite", "study"} & runners[-1].config.keys():  # which say it themselves
                print(
                    f"[stopped] the same command{_resuming(runners[-1].args, flags)} goes on: {command()}", flush=True
                )
            raise
        finally:
            if torch.distributed.is_available() and torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
    if "--json" in flags and int(os.environ.get("RANK", 0)) == 0:
        from s3prl_plugin.report import ending

        print(ending.as_json(runners[-1].args.expdir))
    return runners[-1].status


def _resuming(args: argparse.Namespace, flags: Sequence[str]) -> str:
    """What a command needs to go on with what it was stopped at: s3prl's training goes on when it is told to."""
    return "" if args.mode != "train" or {"-a", "--auto_resume"} & set(flags) else " with -a"


if __name__ == "__main__":
    from s3prl_plugin.jobs.exit_status import exit_status

    sys.exit(exit_status(main))
