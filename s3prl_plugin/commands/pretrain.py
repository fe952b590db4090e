"""`s3prl-plugin pretrain`: the same as `python -m s3prl_plugin.run_pretrain`."""

from __future__ import annotations

import argparse

HELP = "grow a small model: s3prl's run_pretrain.py with this plugin's loop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own: every flag is read by run_pretrain."""


def run(args: argparse.Namespace) -> int:
    """Hand the flags on."""
    from s3prl_plugin import run_pretrain

    return run_pretrain.main(args.flags)
