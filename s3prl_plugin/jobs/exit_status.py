"""How a command ends: an error that the user can mend is one line, and a signal has its own exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from s3prl_plugin import stopping
from s3prl_plugin.errors import UserError, one_line
from s3prl_plugin.files import unfinished


def exit_status(job: Callable[[], int]) -> int:
    """The exit status of a job; an error that the user can mend is printed as one line.

    Args:
        job: returns its own status.
    """
    try:
        with stopping.at_once():
            return job()
    except UserError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except stopping.Stopped as stopped:
        print(stopped, file=sys.stderr)
        return stopped.status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to flush at the end
        return 141
    except OSError as error:
        if error.errno not in unfinished.CANNOT_WRITE:
            raise
        place = Path(error.filename) if isinstance(error.filename, str) else Path.cwd() / "a file"
        print(f"error: {unfinished.cannot_be_written(place.absolute(), error)}", file=sys.stderr)
        return 2
