"""Runs a list of jobs, one after another: what is finished is not run again, and a failure stays alone.

[study] 3 upstreams, 5 runs; 1 is finished already
[study] 2 of 5: broken, analyses -> out/broken (about 11 min left)
[study] 2 of 5: broken, analyses: failed after 0:12: broken.pt: not a file of torch.save
...
[study] ended in 10:40
a line for each
1 of 5 failed; the same command tries again: python -m s3prl_plugin.run_downstream ...
"""

from __future__ import annotations

import gc
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from s3prl_plugin import ranks, stopping
from s3prl_plugin.errors import UserError, reason
from s3prl_plugin.jobs.durations import about, clock
from s3prl_plugin.jobs.process import command
from s3prl_plugin.report.text import aligned


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work.

    Attributes:
        name: for reading.
        run: does it, in this process or in another one (`process.run`); an error is its failure, and False says that
            it found everything done.
        collect: what it came to, for reading; called when it is finished, now or before, so that it may put results
            together.
        finished_s: how long it took, where it is finished already (0: nobody knows); else None.
        finish: notes that it is finished, and after how many seconds.
        what: it does, besides its name.
        folder: of what it makes, for reading.
        kind, size: jobs of one kind take as long as they are large.
    """

    name: str
    run: Callable[[], bool | None]
    collect: Callable[[], str] = str
    finished_s: float | None = None
    finish: Callable[[float], None] = lambda _: None
    what: str = ""
    folder: Path | None = None
    kind: str = ""
    size: int = 1


class Engine:
    """Runs jobs.

    Args:
        title: of the list, for reading.
        say: tells the user a line; by default it is printed, by the first of several processes.
        log: keeps a traceback and says where; by default those of errors that the user cannot mend are printed.
        begin: is told the job that begins and how long, in seconds, those after it will take (None: not known).

    Attributes:
        outcomes: of the jobs that have had their turn.
        turns: how many have had it; who yields jobs may pass over some.
    """

    def __init__(
        self,
        title: str,
        say: Callable[[str], None] | None = None,
        log: Callable[[str], Path] | None = None,
        begin: Callable[[str, float | None], None] = lambda *_: None,
    ):
        self.title = title
        self.outcomes: list[Outcome] = []
        self.turns = 0
        self._say = say or self._print
        self._log = log
        self._begin = begin
        self._sizes: dict[str, int] = defaultdict(int)  # kind -> of those whose time is known
        self._seconds: dict[str, float] = defaultdict(float)
        self._began_s = time.monotonic()

    def run(self, jobs: Iterable[Job], count: int | None = None, said: str = "") -> int:
        """Run what is not finished; a signal, as Ctrl-C, ends it, with a word on how it goes on.

        Args:
            jobs: a list; or what yields the next one when the one before has ended, and may look at `outcomes`.
            count: how many there will be, where they are yielded one by one.
            said: what they are, for reading.

        Returns:
            The exit status: 1 where a job failed, else 0.

        Raises:
            Exception: a job's, where several processes run together: the others may be waiting for this one.
        """
        try:
            with stopping.at_once():
                ahead = None
                if count is None:
                    jobs = list(jobs)
                    count, ahead = len(jobs), [job for job in jobs if job.finished_s is None]
                    for job in jobs:
                        self._note(job, job.finished_s)
                    before = f"; {count - len(ahead)} finished already" if len(ahead) < count else ""
                    if said:
                        self._say(said + before)
                for job in jobs:
                    self._turn(job, count, ahead)
        except KeyboardInterrupt:
            self._say(f"stopped; what is finished is kept, and the same command goes on: {command()}")
            raise
        return int(bool(self.failures))

    @property
    def failures(self) -> str:
        """What failed, and why, in one line; empty where nothing did."""
        return "; ".join(f"{outcome.name}: {outcome.failure}" for outcome in self.outcomes if outcome.failure)

    def summary(self, *more: str) -> str:
        """What became of everything, and how to go on, in lines.

        Args:
            more: lines on where the results are.
        """
        failed = sum(outcome.failure is not None for outcome in self.outcomes)
        took = clock(time.monotonic() - self._began_s)
        said = [f"[{self.title}] {'ended' if failed else 'finished'} in {took}", table(self.outcomes), *more]
        if failed:
            said.append(f"{failed} of {len(self.outcomes)} failed; the same command tries again: {command()}")
        return "\n".join(said)

    def _turn(self, job: Job, count: int, ahead: list[Job] | None) -> None:
        """A job's turn.

        Args:
            count: of all jobs.
            ahead: what is to be run, from this one on; None: so many like this one.
        """
        if ahead is None:
            self._note(job, job.finished_s)
            ahead = [job] * (count - self.turns)
        self.turns += 1
        name = f"{self.turns} of {count}: {job.name}"
        began_s, seconds = time.monotonic(), None
        try:
            if job.finished_s is None:
                what, where = job.what and f": {job.what}", f" -> {job.folder}" if job.folder else ""
                self._say(f"{name}{what}{where}{self._left(ahead)}")
                self._begin(f"[{self.turns}/{count}] {job.name}", self._left_s(ahead[1:]))
                del ahead[:1]
                if job.run() is not False:
                    seconds = time.monotonic() - began_s
                    job.finish(seconds)
                    self._note(job, seconds)
            score = job.collect()
        except Exception as error:
            self.outcomes.append(self._failed(job, name, error, time.monotonic() - began_s))
        else:
            self.outcomes.append(Outcome(job.name, score, seconds))
            if seconds is not None:
                self._say(f"{name}: {score or 'finished'} after {clock(seconds)}")
        _release()

    def _failed(self, job: Job, name: str, error: Exception, seconds: float) -> Outcome:
        """What failed, told to the user; its traceback is kept."""
        failed = Outcome(job.name, seconds=seconds, failure=reason(error))
        trace = "".join(traceback.format_exception(error))
        kept = f" (traceback: {self._log(trace)})" if self._log else ""
        if not self._log and not isinstance(error, UserError):
            print(trace, file=sys.stderr, end="")
        self._say(f"{name}: failed after {clock(seconds)}: {failed.failure}{kept}")
        if ranks.count() > 1:
            raise error
        return failed

    def _note(self, job: Job, seconds: float | None) -> None:
        """Take in how long a job took, which tells of others of its kind."""
        if seconds:
            self._sizes[job.kind] += job.size
            self._seconds[job.kind] += seconds

    def _left_s(self, jobs: Sequence[Job]) -> float | None:
        """How long jobs will take, by those of their kinds that are finished; None where there is none of a kind."""
        if any(job.kind not in self._sizes for job in jobs):
            return None
        return sum(job.size * self._seconds[job.kind] / self._sizes[job.kind] for job in jobs)

    def _left(self, jobs: Sequence[Job]) -> str:
        """The same for reading, of the kinds of which it is known."""
        known = [job for job in jobs if job.kind in self._sizes]
        if not known:
            return ""
        of = "" if len(known) == len(jobs) else f" of {' and '.join(dict.fromkeys(job.kind for job in known))}"
        return f" (about {about(self._left_s(known) or 0)}{of} left)"

    def _print(self, line: str) -> None:
        if ranks.leads():
            print(f"[{self.title}] {line}", flush=True)


def _release() -> None:
    """Give back what a job has left behind: a traceback holds its models."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of them.

    Attributes:
        name: of the job.
        score: what it came to, for reading.
        seconds: how long it took; None where it was finished before.
        failure: why it failed, in one line; None where it did not.
    """

    name: str
    score: str = ""
    seconds: float | None = None
    failure: str | None = None


def table(outcomes: Sequence[Outcome]) -> str:
    """One line for each: score or failure, and time."""
    lines = []
    for outcome in outcomes:
        took = "finished before" if outcome.seconds is None else clock(outcome.seconds)
        lines.append([outcome.name, took, f"failed: {outcome.failure}" if outcome.failure else outcome.score])
    width = max(len(line[2]) for line in lines)
    return aligned([[name, took, said.ljust(width)] for name, took, said in lines])
