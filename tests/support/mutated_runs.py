"""A run's flags with broken input, read and checked as far as that is done before anything is loaded."""

import random
import sys
from pathlib import Path
from types import SimpleNamespace

import mutated

import s3prl_plugin
from s3prl_plugin import config
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import arguments

s3prl_plugin.register()

FILES = {
    "suite": [
        config.packaged("configs", "suite", f"{name}.yaml") for name in ("first_light", "superb_small", "two_models")
    ]
    + [config.packaged("configs", "suite", f"{name}.yaml") for name in ("trajectory", "finetune_study", "superb")],
    **{name: [config.packaged("downstream", name, "config.yaml")] for name in ("cca", "mi", "rate")},
    "ctc": [config.packaged("configs", "superb", f"{name}.yaml") for name in ("pr", "sf")],
    "sv_voxceleb1": [config.packaged("configs", "superb", "asv.yaml")],
    "emotion": [config.packaged("configs", "superb", "er.yaml")],
}
OPTIONS = sorted(config.packaged("configs", "upstream", "native.yaml").parent.glob("*.yaml"))
KEYS = [
    *("config.suite.tasks.SID.override.runner.total_steps", "config.suite.analyses.cca.measures", "config.suite.store"),
    *("config.suite.corpus", "config.runner.total_steps", "config.optimizer.name", "config.new.key.below"),
    *("config.study.upstreams", "config.study.seeds", "args.seed", "args.upstream", "args.downstream", "args.mode"),
    *("args.upstream_layer_selection", "args.hub", "args.nothing", "runner.total_steps", "config"),
]


def read(*flags: str) -> None:
    """All that is done with the flags before the upstream is loaded."""
    from s3prl import run_downstream as stock

    parser = SimpleNamespace(ArgumentParser=arguments.Parser)
    with replaced(stock, argparse=parser), replaced(sys, argv=["program", *flags]):
        args, found, _ = stock.get_downstream_args()
    found = arguments.chosen(found, vars(args).pop("tasks", None))
    arguments.check_run(args, found)


def _attempt(act, given):
    """What became of it: (taken or refused, what was given, the error that should not have been)."""
    try:
        act()
    except UserError as error:
        one_line = "\n" not in str(error) and bool(str(error))
        return "refused", given, None if one_line else error
    except Exception as error:
        return "failed", given, error
    return "taken", given, None


def configuration(draw: random.Random, folder: Path):
    """-c."""
    downstream = draw.choice(list(FILES))
    text = mutated.text(draw, draw.choice(FILES[downstream]).read_text(encoding="utf-8"))
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    mode = "train" if downstream in ("suite", "ctc", "sv_voxceleb1", "emotion") else "evaluate"
    flags = ["-m", mode, "-d", downstream, "-u", "fbank", "-p", str(folder / "out"), "-c", str(path)]
    return _attempt(lambda: read(*flags), text)


def options(draw: random.Random, folder: Path):
    """-g, of one of our upstreams or of another."""
    text = mutated.text(draw, draw.choice(OPTIONS).read_text(encoding="utf-8"))
    path = folder / "options.yaml"
    path.write_text(text, encoding="utf-8")
    (folder / "task.yaml").write_text("runner: {total_steps: 1}\n", encoding="utf-8")
    upstream = draw.choice(["mr_hubert_tiny", "hubert_tiny", "hqa_tiny", "fbank"])
    flags = ["-m", "train", "-d", "voxceleb1", "-p", str(folder / "out"), "-c", str(folder / "task.yaml")]

    def act() -> None:
        from s3prl import hub

        from s3prl_plugin.states import foreign

        read(*flags, "-u", upstream, "-g", str(path))
        asked = foreign.requested(upstream, path)
        if upstream != "fbank":
            getattr(hub, upstream)(model_config=str(path))
        elif asked is not None:
            asked.applied(hub.fbank())

    return _attempt(act, f"{upstream}: {text}")


def override(draw: random.Random, folder: Path):
    """-o."""
    text = mutated.override(draw, KEYS)
    downstream, name = draw.choice([("suite", "superb_small"), ("suite", "two_models"), ("suite", "trajectory")])
    path = config.packaged("configs", downstream, f"{name}.yaml")
    flags = ["-m", "train", "-d", downstream, "-u", "fbank", "-p", str(folder / "out"), "-c", str(path), "-o", text]
    return _attempt(lambda: read(*flags), text)


FLAGS = {"-c": configuration, "-g": options, "-o": override}
