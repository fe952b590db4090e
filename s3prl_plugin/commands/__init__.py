"""`s3prl-plugin <command>`: one module per command, imported when it is chosen.

A command's module has `HELP` (its description), `add_arguments(parser)` and `run(args)`, which returns the exit status;
it may have `EXAMPLES` for the end of its help.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from s3prl_plugin import __version__
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.jobs.exit_status import exit_status
from s3prl_plugin.plugins import plugin_flag

PROGRAM = "s3prl-plugin"
COMPLETING = "_ARGCOMPLETE"  # set by the shell that asks what may come next
COMMANDS = {
    "demo": "generate speech, analyse a small model, draw the layer curves",
    "run": "s3prl's run_downstream.py with this plugin's upstreams and downstreams",
    "pretrain": "grow a small model: s3prl's run_pretrain.py with this plugin's loop",
    "ls": "list upstreams, downstreams, measures, the taps of a model, a corpus",
    "report": "a page, tables and figures from results",
    "select": "which layer to take for a task, as a ready configuration, and how good that choice is",
    "doctor": "what is installed, what was healed, what is missing",
}
# commands that hand all that follows to another program's parser
PASS_FLAGS_ON = frozenset({"pretrain", "run"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: what follows the program's name; by default the command line.

    Returns:
        The exit status: 0; 2 for what the user can mend, told in one line; 130 when interrupted; 143 or 129 by
        SIGTERM or SIGHUP; 141 when whatever reads the output has ended.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if COMPLETING in os.environ:
        _complete()
    with replaced(sys, argv=["s3prl_plugin", *words]):  # with `python -m` before it, a command to be given again
        return exit_status(lambda: _run(words))


def _run(words: list[str]) -> int:
    """Find the command and give it its arguments."""
    parser = _top_level()
    if not words or words[0].startswith("-"):
        parser.parse_args(words)
        parser.print_help()
        return 0
    name, *rest = words
    if name not in COMMANDS:
        raise UserError(f"{PROGRAM} {name}: no such command; {did_you_mean(name, COMMANDS)}")
    if name in PASS_FLAGS_ON:
        return _module(name).run(argparse.Namespace(flags=rest))
    args = parser_of(name).parse_args(rest)
    plugin_flag.load(args.plugin)
    return _module(name).run(args)


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of a command that reads its flags itself (not of `run` and `pretrain`)."""
    command = _module(name)
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}",
        description=command.HELP,
        epilog=getattr(command, "EXAMPLES", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    plugin_flag.add_flag(parser)
    return parser


def _complete() -> None:
    """Tell a shell what may come next, and end; see docs/how_to/completion.md."""
    import argcomplete

    from s3prl_plugin.running import flags

    parser = _top_level()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for name in COMMANDS:
        commands._name_parser_map[name] = flags.parser() if name == "run" else parser_of(name)
    argcomplete.autocomplete(parser)


def _module(name: str) -> Any:
    """A command's module."""
    return importlib.import_module(f"{__name__}.{name}")


def _top_level() -> argparse.ArgumentParser:
    """The parser for `--help` and `--version`, which lists every command."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Multi-resolution upstreams, layer-wise analysis and SUPERB tasks for s3prl.",
        epilog=f"`{PROGRAM} COMMAND --help` explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for name, line in COMMANDS.items():
        commands.add_parser(name, help=line, add_help=False)
    return parser
