"""Jobs side by side, whose results come in their order: as many threads as one likes give the same numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")


def in_threads(jobs: Iterable[Callable[[], T]], threads: int) -> Iterator[T]:
    """Run jobs, most of whose time numpy and LAPACK take, which let other threads run meanwhile.

    No more jobs than threads are begun at a time, so that memory is bounded. What a job raises is raised in its turn.

    Args:
        jobs: without arguments; they share nothing that they change.
        threads: how many; with one, nothing but this thread works.

    Yields:
        What each job returns, in their order.
    """
    if threads <= 1:
        yield from (job() for job in jobs)
        return
    begun: deque[Future[T]] = deque()
    # Some libraries keep the number of their own threads for the process, others for each thread: one is set for both,
    # and the process gets its number back.
    with threadpool_limits(1), ThreadPoolExecutor(threads, initializer=threadpool_limits, initargs=(1,)) as pool:
        try:
            for job in jobs:
                begun.append(pool.submit(job))
                if len(begun) == threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
