"""Every job in a process of its own: for libraries that are reproducible only in what they do first."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def each_in_fresh_process(
    work: Callable[[Job], Result], jobs: Sequence[Job], processes: int
) -> Iterator[tuple[int, Result]]:
    """Run `work(job)` for every job, each in a new child of this process.

    Children are forked where the platform does that safely (Linux: what is loaded here need not be loaded again), and
    started afresh elsewhere, so `work`, jobs and results must be picklable. Call it from a process without threads.

    Args:
        work: a function of a module.
        jobs: one argument each.
        processes: how many children may live at once.

    Yields:
        (the job's position, its result), as they end.

    Raises:
        RuntimeError: a child failed; the message carries its error.
    """
    context: Any = multiprocessing.get_context("fork" if _forks_safely() else "spawn")
    waiting = list(enumerate(jobs))[::-1]
    running: dict[Any, tuple[int, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                position, job = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                child = context.Process(target=_run, args=(work, job, theirs), daemon=True)
                child.start()
                theirs.close()
                running[ours] = (position, child)
            for pipe in wait(list(running)):
                position, child = running.pop(pipe)
                result = _receive(pipe, position)
                child.join()
                yield position, result
    finally:
        for _, child in running.values():
            child.kill()


def _forks_safely() -> bool:
    """macOS can fork too, but its system libraries break in the child."""
    return sys.platform.startswith("linux")


def _run(work: Callable[[Job], Result], job: Job, pipe: Connection) -> None:
    """In the child: do the job and send what came of it."""
    try:
        pipe.send((None, work(job)))
    except Exception as error:
        pipe.send((f"{type(error).__name__}: {error}", None))
    finally:
        pipe.close()


def _receive(pipe: Any, position: int) -> Any:
    """The result that a child sent."""
    try:
        error, result = pipe.recv()
    except EOFError:
        error, result = "it died before it was done", None
    finally:
        pipe.close()
    if error is not None:
        raise RuntimeError(f"job {position}: {error}")
    return result
