"""The arguments of a run, read by s3prl's own parser: completed from the machine, and checked before they are used.

--device and --backend default to what the machine has, --local_rank to what torchrun says; -c may be left out for the
plugin's own downstreams, and -c and -g may name one of the plugin's configurations. What the user got wrong is told in
one line, before a folder is made or a model loaded.
"""

from __future__ import annotations

import argparse
import os
from copy import deepcopy
from pathlib import Path
from typing import Any, NoReturn

from s3prl_plugin import config as configuration
from s3prl_plugin import registry
from s3prl_plugin.compat import huggingface_hub, packages
from s3prl_plugin.config import overrides, remote_code
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.plugins import plugin_flag
from s3prl_plugin.plugins.folders import folders as folders_of
from s3prl_plugin.running import checks
from s3prl_plugin.states import upstream_files

PROGRAM = "s3prl_plugin.run_downstream"
MODES = ("train", "evaluate", "inference")
SEED = 1337  # s3prl's default


class Parser(argparse.ArgumentParser):
    """Stands in for the class that s3prl builds its parser with: its flags, two more, other defaults, and checks."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        own = self.add_argument_group("of this plugin")
        remote_code.add_flag(own)
        own.add_argument("--tasks", metavar="{PR,KS,...|none}", help="Of a suite (-d suite), run these tasks only")
        own.add_argument("--json", action="store_true", help="At the end print the results, a line of JSON each")
        plugin_flag.add_flag(own)

    def add_argument(self, *flags: str, **options: Any) -> Any:
        """Add a flag of s3prl's; three of them differently."""
        if "--mode" in flags:  # checked below, for a better message
            options = {**options, "required": False, "choices": None, "metavar": "{" + ",".join(MODES) + "}"}
        if "--device" in flags or "--backend" in flags:
            options = {**options, "default": None}
        return super().add_argument(*flags, **options)

    def error(self, message: str) -> NoReturn:
        """Refuse what cannot be parsed."""
        raise UserError(f"{message} (`python -m {PROGRAM} --help` lists every flag)")

    def parse_args(self, *args: Any, **kwargs: Any) -> argparse.Namespace:  # type: ignore[override]
        """Read the arguments, complete and check them.

        Raises:
            UserError: a flag, a name or a file that the user can mend.
        """
        found = super().parse_args(*args, **kwargs)
        vars(found).pop("json")  # read by run_downstream
        plugin_flag.load(vars(found).pop("plugin"))  # of no meaning to s3prl, nor to be kept with the run's arguments
        remote_code.take_flag(found)
        if found.upstream is not None:
            found.upstream, found.upstream_ckpt = registry.named(found.upstream, found.upstream_ckpt)
        _check_mode(found)
        choose_device(found)
        join_torchrun(found)
        if found.expname is None and found.expdir is None and found.past_exp is None:
            raise UserError("-n NAME or -p FOLDER is missing: where shall the results go?")
        overrides.parse(found.override)
        _check_tasks_flag(found)
        if not _resumes(found):
            _check_downstream(found)
            if found.downstream != "suite":  # whose file may hold a study, which names its upstreams itself
                _check_upstream(found)
            found.config = str(_config_file(found.config, found.downstream))
            config = check_config(Path(found.config), found.downstream, found.override)
            if "study" in config.data:
                _check_study(found, config)
            elif found.downstream == "suite":
                _check_upstream(found)
            if found.tasks is not None and found.override is None:  # which may change the suite's tasks
                chosen(config.data, found.tasks)
        if found.upstream_model_config is not None:
            found.upstream_model_config = str(existing("-g", found.upstream_model_config))
            _check_model_config(found)
        if found.init_ckpt is not None:
            _check_checkpoint("-i", Path(found.init_ckpt))
        return found


def _check_model_config(found: argparse.Namespace) -> None:
    """Refuse options that the upstream could not have; those of a run that goes on have been used before."""
    from s3prl_plugin.states import foreign

    if found.upstream is None:
        configuration.read(found.upstream_model_config)
    else:
        foreign.check_file(found.upstream, found.upstream_model_config)


def check_config(path: Path, downstream: str, override: str | None = None) -> configuration.Config:
    """Read a run's configuration, and refuse what nobody would read in it.

    Args:
        path: of the file.
        downstream: that it is for.
        override: -o, of which the section `study` is taken account of; the rest is checked when it has been made.

    Returns:
        What was read.

    Raises:
        UserError: with file and line.
    """
    config = _study_as_changed(override, configuration.read(path))
    _check_keys(config, downstream)
    return config


def _check_keys(config: configuration.Config, downstream: str) -> None:
    """Refuse keys of a run's configuration that nobody would read, and tasks that cannot be run."""
    from s3prl_plugin import superb

    if downstream == "suite":
        superb.refuse_unavailable(config)
    checks.check(config, downstream, registry.analyses(), superb.tasks() if downstream == "suite" else ())


def chosen(config: dict[str, Any], tasks: str | None) -> dict[str, Any]:
    """A configuration with those of its suite's tasks that `--tasks` names; the same where it is not given.

    Raises:
        UserError: it names something that the suite does not have.
    """
    if tasks is None:
        return config
    from s3prl_plugin import superb

    return {**config, "suite": superb.choose(config.get("suite") or {}, tasks)}


def check_run(args: argparse.Namespace, config: dict[str, Any]) -> None:
    """Check what -e, -a and -o may have changed, and what would fail only after hours.

    Args:
        args: as s3prl will use them.
        config: the run's configuration.

    Raises:
        UserError: something that the user can mend.
    """
    _check_mode(args)
    _check_downstream(args)
    changed = f" with -o {args.override}" if args.override else ""
    found = configuration.Config(Path(f"{args.config}{changed}"), config, {})
    if changed:
        _check_keys(found, args.downstream)
    else:
        checks.check_names(found, args.downstream)
    if "study" in config:
        _check_study(args, found)
    else:
        _check_upstream(args)
    packages.check(args.downstream)
    if args.downstream == "suite" and "suite" in config:
        from s3prl_plugin import superb
        from s3prl_plugin.running import fine_tuning

        superb.asked(config["suite"])
        fine_tuning.check_suite(config["suite"], args.upstream_trainable)
        if args.init_ckpt is not None and args.upstream_trainable:
            raise UserError("-i and -f: the tasks of a suite fine-tune the upstream of -u and -k; leave one out")
    if (args.hub == "huggingface" or args.push_to_hf_hub) and huggingface_hub.is_gone("HfFolder"):
        raise UserError("--hub huggingface, --push_to_hf_hub: huggingface_hub 1.0 has no HfFolder; leave them out")
    if args.mode == "inference" and not Path(args.evaluate_split).is_file():
        raise UserError(f"-t {args.evaluate_split}: no such file; with -m inference, -t names an audio file")
    for key in config:
        if key in vars(args):
            raise UserError(f"{args.config}: the key {key!r} bears the name of a command-line argument; rename it")


def _check_mode(args: argparse.Namespace) -> None:
    """-m, which decides everything else."""
    if args.mode is None:
        raise UserError(f"-m is missing: give one of {', '.join(MODES)}")
    if args.mode not in MODES:
        raise UserError(f"-m {args.mode}: no such mode; {did_you_mean(args.mode, MODES)}")


def _check_tasks_flag(args: argparse.Namespace) -> None:
    """--tasks, as far as it can be told without the suite."""
    if args.tasks is None:
        return
    if args.downstream != "suite" or args.mode != "train":
        raise UserError(f"--tasks {args.tasks}: it chooses tasks of a suite; give it with -m train -d suite")
    from s3prl_plugin import superb

    for name in args.tasks.split(","):
        if args.tasks.strip().lower() != "none":
            superb.check_name(name.strip())


def choose_device(args: argparse.Namespace) -> None:
    """--device and --backend: what the machine has, unless it is said."""
    import torch

    has_cuda = torch.cuda.is_available()
    if args.device is None:
        args.device = "cuda" if has_cuda else "cpu"
    try:
        kind = torch.device(args.device).type
    except RuntimeError:
        raise UserError(f"--device {args.device}: no such device; give cpu, cuda or cuda:0") from None
    if kind == "cuda" and not has_cuda:
        raise UserError(f"--device {args.device}: torch {torch.__version__} sees no GPU here; leave --device out")
    if args.backend is None:
        args.backend = "nccl" if kind == "cuda" else "gloo"
    if args.backend == "nccl" and kind != "cuda":
        raise UserError(f"--backend nccl works between GPUs, and --device is {args.device}; leave --backend out")


def join_torchrun(args: argparse.Namespace) -> None:
    """--local_rank from torchrun's environment: where it is given, s3prl is distributed."""
    rank = os.environ.get("LOCAL_RANK")
    if args.local_rank is None and rank is not None and "RANK" in os.environ:
        args.local_rank = int(rank)


def _resumes(args: argparse.Namespace) -> bool:
    """Whether -e or -a takes up an earlier run: its checkpoint, which is checked, then says what is run."""
    folder = Path(args.expdir or f"result/downstream/{args.expname}")
    if args.past_exp is None and not (args.auto_resume and any(folder.glob("states-*.ckpt"))):
        return False
    path = folder if args.past_exp is None else Path(args.past_exp)
    if path.is_dir():
        checkpoints = list(path.glob("states-*.ckpt"))
        if not checkpoints:
            raise UserError(f"-e {path}: no checkpoint (states-*.ckpt) in this folder")
        path = max(checkpoints, key=lambda file: (len(file.name), file.name))  # the most steps
    _check_checkpoint("-e", path)
    return True


def _check_checkpoint(flag: str, path: Path) -> None:
    """Refuse a file that is no checkpoint of a run."""
    import torch

    if not path.is_file():
        raise UserError(f"{flag} {path}: no such file; give a checkpoint of a run")
    try:
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:  # a damaged file can fail in any part of the reader
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{flag} {path}: this file cannot be read as a checkpoint ({reason})") from None
    if not isinstance(content, dict) or not {"Args", "Config"} <= content.keys():
        raise UserError(f"{flag} {path}: not the checkpoint of a run; one of an upstream is given with -k")
    args, config = content["Args"], content["Config"]
    if not isinstance(args, argparse.Namespace) or not isinstance(config, dict):
        raise UserError(f"{flag} {path}: not the checkpoint of a run; its Args or its Config are of another kind")

    where = configuration.Config(Path(f"{flag} {path}"), config, {})
    for part in (vars(args), config):
        configuration.refuse_code(part, where.error)
    if vars(args).get("hub", "torch") != "torch" or vars(args).get("from_hf_hub"):
        raise UserError(f"{flag} {path}: its upstream is code from a hub; leave {flag} out, and give --hub")
    checks.check_names(where, str(vars(args).get("downstream")))


def _check_downstream(args: argparse.Namespace) -> None:
    """-d, against all that s3prl and the plugin have."""
    if args.downstream is None:
        raise UserError("-d is missing: give a downstream (`s3prl-plugin ls downstreams` lists them)")
    registry.check_downstream(args.downstream)


def _check_study(args: argparse.Namespace, config: configuration.Config) -> None:
    """What a study says, and the flags beside it."""
    from s3prl_plugin import study
    from s3prl_plugin.study.runs import check_flags

    if args.downstream != "suite":
        raise UserError(f"{config.path}: a study runs a suite; give -d suite")
    check_flags(args, SEED, study.read(config))


def _study_as_changed(override: str | None, config: configuration.Config) -> configuration.Config:
    """The configuration with what -o changes in the section `study`, such as where checkpoints lie."""
    data = deepcopy(config.data)
    for change in overrides.parse(override):
        if change.root == "config" and change.keys[0] == "study":
            overrides.put(change, data)
    return config.changed(data)


def _check_upstream(args: argparse.Namespace) -> None:
    """-u, against all that s3prl and the plugin have."""
    if args.upstream is None:
        raise UserError("-u is missing: give an upstream (`s3prl-plugin ls upstreams` lists them)")
    if args.hub == "torch":
        registry.check_upstream(args.upstream)
        try:
            upstream_files.check(args.upstream, args.upstream_ckpt)
        except UserError as error:
            raise UserError(f"-k {error}") from None


def _config_file(given: str | None, downstream: str) -> Path:
    """The configuration: what -c names, s3prl's usual place, or the one that comes with the downstream."""
    if given is not None:
        return existing("-c", given)
    usual = Path("downstream") / downstream / "config.yaml"
    if usual.is_file():
        return usual
    package = registry.downstreams().get(downstream)
    for folder in folders_of(package) if package else ():
        if (folder / usual.name).is_file():
            return folder / usual.name
    raise UserError(f"-c is missing: -d {downstream} is installed without a configuration of its own; name one")


def existing(flag: str, given: str) -> Path:
    """A file in the working directory, or one of the plugin's configurations: suite/first_light.yaml."""
    if Path(given).is_file():
        return Path(given)
    try:
        return configuration.packaged("configs", *Path(given.removeprefix("configs/")).parts)
    except UserError as error:
        raise UserError(f"{flag} {given}: no such file, and among the plugin's own: {error}") from None
