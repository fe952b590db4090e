"""`python -m s3prl_plugin.run_pretrain`: pre-training with the flags of s3prl's run_pretrain.py and our own loop."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError

if TYPE_CHECKING:
    from argparse import Namespace
    from types import ModuleType

    from s3prl_plugin.pretraining.loop.experiment import Experiment


def main(argv: Sequence[str] | None = None) -> int:
    """Train.

    Args:
        argv: the flags; by default those of the command line.

    Returns:
        The exit status: 1 where one of several trainings failed, else 0.

    Raises:
        UserError: a flag, a name or a file that the user can mend, or a training that went astray.
    """
    from s3prl_plugin.pretraining.loop import arguments, journal

    flags = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in flags
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        args = arguments.read(flags)
        status = _train(args, flags)
    if as_json and int(os.environ.get("RANK", 0)) == 0:
        print(journal.as_json(args.expdir))
    return status


def _train(args: Namespace, flags: Sequence[str]) -> int:
    """Train as the flags say, which `args` are read from; returns the exit status."""
    from s3prl_plugin.compat.replaced import replaced
    from s3prl_plugin.files import unfinished
    from s3prl_plugin.pretraining.data import settings
    from s3prl_plugin.pretraining.loop import arguments, cells, journal, states
    from s3prl_plugin.pretraining.loop.runner import Runner
    from s3prl_plugin.running.progress import Progress

    if int(os.environ.get("RANK", 0)) == 0:
        unfinished.remove(Path(args.expdir))
    if cells.asked(args.upstream_config):
        with replaced(sys, argv=[arguments.PROGRAM, *flags]):  # as it is to be given again
            return cells.run(args)
    state = states.load(args.state) if args.state is not None else None
    module, experiment = _experiment(args, state)
    chosen = settings.read(experiment)
    kind = module.UpstreamPretrainExpert
    if hasattr(kind, "check"):
        kind.check(experiment)
    with ExitStack() as stack:
        stack.enter_context(_processes(args))
        display = stack.enter_context(Progress(args.expdir))
        display.begin(f"loading {args.upstream}")
        config = _with_units(experiment, args)
        expert = kind(
            (config.get("pretrain_expert") or {}).get("datarc") or {},
            {name: config.get(name) or {} for name in kind.SECTIONS},
            args.device,
            args.multi_gpu,
            seed=args.seed,
        ).to(args.device)
        runner = Runner(args, experiment.data, chosen, expert, state)
        display.begin(f"pre-training {args.upstream}")
        if runner.step == runner.total:
            display.say(f"[pretrain] {args.expdir}: all {runner.total} steps are done")
        try:
            runner.train()
        except KeyboardInterrupt:
            again = [*flags, *(["-a"] if not {"-a", "--auto_resume"} & set(flags) else [])]
            display.say(f"[pretrain] stopped after step {runner.step}, which is saved; what goes on from there:")
            display.say(f"[pretrain] {shlex.join(['python', '-m', arguments.PROGRAM, *again])}")
            raise
        display.say(f"[pretrain] {Path(args.expdir) / journal.LAST}: the model after {runner.total} steps")
    return 0


def _experiment(args: Namespace, state: Mapping[str, Any] | None) -> tuple[ModuleType, Experiment]:
    """The expert's module and the configuration: that of -g, -c and -o, or the one that a state was trained with.

    Raises:
        UserError: a file cannot be used, or is another one than the state was trained with.
    """
    from s3prl_plugin import config as configuration
    from s3prl_plugin import own_upstreams
    from s3prl_plugin.pretraining.loop import arguments
    from s3prl_plugin.pretraining.loop.experiment import SECTIONS, Experiment

    if state is not None:
        if args.upstream not in (None, state["Args"]["upstream"]):
            raise UserError(f"{args.state}: trains {state['Args']['upstream']}; leave -u {args.upstream} out")
        args.upstream, args.seed = state["Args"]["upstream"], state["Args"]["seed"]
    module = own_upstreams.pretrain_expert(args.upstream)
    sections = [*SECTIONS, *module.UpstreamPretrainExpert.SECTIONS]
    files = [configuration.read(path) for path in (args.upstream_config, args.config) if path is not None]
    if state is not None:
        trained = configuration.Config(args.state, dict(state["Config"]), {})
        if files and not args.override:
            given = Experiment(files, sections)
            arguments.request_units(given.data, args)
            _refuse_other(given, trained.data, args.state)
        files = [trained]
    experiment = Experiment(files, sections)
    arguments.request_units(experiment.data, args)
    arguments.override(experiment.data, args)
    return module, experiment


def _with_units(experiment: Experiment, args: Namespace) -> Mapping[str, Any]:
    """The configuration with the units that its section `units` asks for, made in EXPDIR/units if they are not there.

    Raises:
        UserError: they cannot be made.
    """
    request = experiment.data.get("units")
    if request is None:
        return experiment.data
    from s3prl_plugin.pretraining.loop.experiment import with_units

    others = {name: content for name, content in experiment.data.items() if name != "units"}
    return with_units(others, request, Path(args.expdir) / "units", args.device)


def _refuse_other(given: Experiment, trained: Mapping[str, Any], state: Path) -> None:
    """Refuse files that say something else than a state was trained with."""
    for name in given.data.keys() | trained.keys():
        if given.data.get(name) != trained.get(name):
            raise given.error(
                (name,),
                f"{name} differs from what {state} was trained with; leave -g and -c out to go on with it, change "
                "values with -o, or choose another folder",
            )


@contextmanager
def _processes(args: Namespace) -> Iterator[None]:
    """Under torchrun, one of several processes, each on its own GPU where there are any."""
    import torch

    if args.local_rank is None:
        yield
        return
    if torch.device(args.device).type == "cuda":
        args.device = f"cuda:{args.local_rank}"
        torch.cuda.set_device(args.device)
    torch.distributed.init_process_group(args.backend)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    from s3prl_plugin.jobs.exit_status import exit_status

    sys.exit(exit_status(main))
