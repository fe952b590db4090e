"""`python -m s3prl_plugin.run_downstream`: s3prl's entry point with the plugin's upstreams, downstreams and runner.

Every flag is s3prl's own; see `arguments` for what is completed and checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any


def main(argv: Sequence[str] | None = None) -> int:
    """Run s3prl's run_downstream.

    Args:
        argv: its flags; by default those of the command line.

    Returns:
        0.

    Raises:
        UserError: a flag, a name or a file that the user can mend.
    """
    flags = list(sys.argv[1:] if argv is None else argv)
    import s3prl_plugin

    s3prl_plugin.register()
    import torch
    from s3prl import run_downstream as stock

    from s3prl_plugin import arguments
    from s3prl_plugin.compat.distributed import patience
    from s3prl_plugin.compat.replaced import replaced
    from s3prl_plugin.compat.torch import cuda_is_hidden
    from s3prl_plugin.runner import Runner

    read_arguments = stock.get_downstream_args
    with ExitStack() as stack:

        def get_downstream_args() -> tuple[argparse.Namespace, dict[str, Any], list[str]]:
            with replaced(stock, argparse=SimpleNamespace(ArgumentParser=arguments.Parser)):
                args, config, backup_files = read_arguments()
            arguments.check_run(args, config)
            if torch.device(args.device).type == "cpu":  # s3prl chooses a CUDA device for every rank before its runner
                stack.enter_context(cuda_is_hidden())
            return args, config, backup_files

        stack.enter_context(replaced(stock, Runner=Runner, get_downstream_args=get_downstream_args))
        stack.enter_context(replaced(sys, argv=[arguments.PROGRAM, *flags]))
        stack.enter_context(patience())
        try:
            stock.main()
        finally:
            if torch.distributed.is_available() and torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    from s3prl_plugin.commands import exit_status

    sys.exit(exit_status(main))
