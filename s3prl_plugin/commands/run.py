"""`s3prl-plugin run`: the same as `python -m s3prl_plugin.run_downstream`."""

from __future__ import annotations

import argparse

HELP = "s3prl's run_downstream.py with this plugin's upstreams and downstreams"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own: every flag is s3prl's."""


def run(args: argparse.Namespace) -> int:
    """Hand the flags on."""
    from s3prl_plugin import run_downstream

    return run_downstream.main(args.flags)
