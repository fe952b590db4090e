"""The arguments of a pre-training: s3prl's flags, completed from the machine and checked before anything is made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from s3prl_plugin import own_upstreams
from s3prl_plugin.config import overrides
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.plugins import plugin_flag
from s3prl_plugin.pretraining.loop import states
from s3prl_plugin.running import arguments

PROGRAM = "s3prl_plugin.run_pretrain"
EXAMPLES = f"""examples:
  python -m {PROGRAM} -u mr_hubert -g configs/pretrain/EXPERIMENT.yaml -p result/tiny
  python -m {PROGRAM} -u mr_hubert -g EXPERIMENT.yaml -p result/tiny -a     (goes on where it was interrupted)
  torchrun --nproc_per_node 2 -m {PROGRAM} -u mr_hubert -g EXPERIMENT.yaml -p result/tiny
"""


class Parser(argparse.ArgumentParser):
    """s3prl's flags."""

    def __init__(self) -> None:
        super().__init__(
            prog=f"python -m {PROGRAM}", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self.add_argument("-e", "--past_exp", metavar="{CKPT_PATH,CKPT_DIR}", help="Resume training from a state")
        self.add_argument("-o", "--override", help="Change the configuration: config.KEY.KEY=VALUE,,config.KEY=VALUE")
        self.add_argument("-c", "--config", metavar="CONFIG_PATH", help="Sections that -g does not have")
        self.add_argument("-u", "--upstream", help="What to train: " + ", ".join(own_upstreams.pretrainable()))
        self.add_argument(
            "-g", "--upstream_config", metavar="CONFIG_PATH", help="The model, its objective, and anything of -c"
        )
        self.add_argument("-n", "--expname", help="Save experiment at result/pretrain/EXPNAME")
        self.add_argument("-p", "--expdir", help="Save experiment at EXPDIR")
        self.add_argument("-a", "--auto_resume", action="store_true", help="Resume if the folder holds a state")
        self.add_argument("--seed", default=arguments.SEED, type=int)
        self.add_argument("--device", help="By default a GPU where there is one")
        self.add_argument(
            "--multi_gpu", action="store_true", help="All GPUs: start with torchrun, one process for each"
        )
        own = self.add_argument_group("of this plugin")
        own.add_argument(
            "--units", metavar="mfcc:100", help="Make units of the speech first: clusters of MFCC frames, or of TAP:500"
        )
        own.add_argument("--units_from", metavar="CKPT", help="The earlier model whose tap --units names")
        own.add_argument("--json", action="store_true", help="Print what was logged as JSON Lines in the end")
        plugin_flag.add_flag(own)
        self.set_defaults(backend=None, local_rank=None)

    def error(self, message: str) -> NoReturn:
        """Refuse what cannot be parsed."""
        raise UserError(f"{message} (`python -m {PROGRAM} --help` lists every flag)")


def read(flags: Sequence[str]) -> argparse.Namespace:
    """Read the flags.

    Returns:
        s3prl's arguments, with `state`: the path of the state to go on from, or None.

    Raises:
        UserError: a flag or a file that the user can mend.
    """
    args = Parser().parse_args(flags)
    vars(args).pop("json")  # read by run_pretrain
    plugin_flag.load(vars(args).pop("plugin"))  # which is not kept with the run's arguments
    arguments.choose_device(args)
    arguments.join_torchrun(args)
    overrides.parse(args.override)
    if args.expdir is None and args.expname is None and args.past_exp is None:
        raise UserError("-n NAME or -p FOLDER is missing: where shall the model go?")
    if args.multi_gpu and args.local_rank is None and _gpus() > 1:
        raise UserError(f"--multi_gpu: start it with `torchrun --nproc_per_node {_gpus()} -m {PROGRAM} ...`")
    if args.units_from is not None and args.units is None:
        raise UserError(
            "--units_from: name the tap of that model and the number of units, as in --units mid.layer1:500"
        )
    args.state = None
    if args.past_exp is not None:
        args.state = states.find(Path(args.past_exp))
        if args.expdir is None and args.expname is None:
            args.expdir = str(args.state.parent)
    args.expdir = args.expdir or f"result/pretrain/{args.expname}"
    found = states.in_folder(Path(args.expdir))
    if args.state is None and found:
        if not args.auto_resume:
            raise UserError(f"{args.expdir}: holds a training; give -a to go on with it, or choose another folder")
        args.state = found[-1]
    if args.state is None:
        _check_upstream(args.upstream)
        if args.upstream_config is None:
            raise UserError("-g is missing: name the file that describes the model")
    for flag, name in (("-g", "upstream_config"), ("-c", "config")):
        if getattr(args, name) is not None:
            setattr(args, name, str(arguments.existing(flag, getattr(args, name))))
    return args


def request_units(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Put what --units asks for in place of the section `units`.

    Raises:
        UserError: it is not of its form.
    """
    if args.units is not None:
        from dataclasses import asdict

        from s3prl_plugin.pretraining.data.units.request import from_argument

        config["units"] = asdict(from_argument(args.units, args.units_from))


def override(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Do as -o says, in place.

    Raises:
        UserError: it names a place that cannot hold a value.
    """
    for change in overrides.parse(args.override):
        if change.root == "config":
            overrides.put(change, config)
        elif change.keys in (("seed",), ("device",)):
            overrides.put_argument(change, args, ("seed", "device"))
        else:
            raise change.error("of args, only seed and device can be changed; give the flag")


def _check_upstream(name: str | None) -> None:
    """-u, against what can be trained."""
    known = own_upstreams.pretrainable()
    if name is None:
        raise UserError(f"-u is missing: give one of {', '.join(known)}")
    if name not in known:
        raise UserError(f"-u {name}: cannot be pre-trained here; {did_you_mean(name, known)}")


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
