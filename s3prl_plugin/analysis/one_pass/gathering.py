"""What one pass over a corpus gathers: the statistics of all analyses of a run, each kept once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.storage import IN_MEMORY, Storage
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.states.taps import Tap


class Statistic(Protocol):
    """Additive state: what measures are computed from.

    The order of batches may change its last bits, and nothing else; the same batches in the same order give the same
    bits, also when the state was saved and loaded between them.
    """

    @property
    def memory_bytes(self) -> int:
        """What it takes in memory, known before the pass."""
        ...

    def describe(self) -> str:
        """What it holds, beyond what its name says: states of another description are not gone on from."""
        ...

    def update(self, batch: Batch) -> None:
        """Take in one batch."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on: tensors, numbers, strings, lists and dictionaries of them (not copies)."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        ...

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add the saved state of the same statistic of other batches (another process, another part of the corpus)."""
        ...


S = TypeVar("S", bound=Statistic)


def held_by(statistic: Statistic) -> str:
    """What a statistic keeps, in words."""
    return getattr(statistic, "holds", "other statistics")


class Seen:
    """A statistic that sees every batch in its own way: what it says and keeps is the statistic's.

    Args:
        statistic: of what is seen.
        see: a batch -> what the statistic takes in.
        told: added to what it describes.
    """

    def __init__(self, statistic: Statistic, see: Callable[[Batch], Batch], told: str = ""):
        self.statistic = statistic
        self._see = see
        self._told = told

    @property
    def holds(self) -> str:
        """What is kept, in words."""
        return held_by(self.statistic)

    @property
    def memory_bytes(self) -> int:
        """See `Statistic`."""
        return self.statistic.memory_bytes

    def describe(self) -> str:
        """See `Statistic`."""
        return f"{self.statistic.describe()}{self._told}"

    def update(self, batch: Batch) -> None:
        """See `Statistic`."""
        self.statistic.update(self._see(batch))

    def state_dict(self) -> dict[str, Any]:
        """See `Statistic`."""
        return self.statistic.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Statistic`."""
        self.statistic.load_state_dict(state)

    def merge(self, state: Mapping[str, Any]) -> None:
        """See `Statistic`."""
        self.statistic.merge(state)


class Gathering:
    """The plan of a run, and the statistics that its analyses gather in one pass.

    Analyses that need the same statistic share it: it is kept, updated and saved once.

    Args:
        plan: what is decided about the corpus.
        storage: of the large arrays.

    Attributes:
        plan, storage: as given.
        whole: itself.
        statistics: by a name that says everything that decides their content.
        skips: reason -> utterances that were left out during the pass.
    """

    def __init__(self, plan: Plan, storage: Storage = IN_MEMORY):
        self.plan = plan
        self.storage = storage
        self.whole = self
        self.statistics: dict[str, Statistic] = {}
        self.skips = Skips()

    def share(self, name: str, make: Callable[[], S]) -> S:
        """The statistic of that name, made where there is none yet.

        Args:
            name: says everything that decides what the statistic holds.
            make: makes it; memory is to be taken at its first update, after `memory_bytes` was found to fit.
        """
        if name not in self.statistics:
            self.statistics[name] = make()
        return cast(S, self.statistics[name])

    def at(self, taps: Sequence[Tap], chosen: Sequence[Tap]) -> Gathering:
        """The same gathering for an analysis of some taps only; its statistics are told from those of all.

        Args:
            taps: of the upstream.
            chosen: those that the analysis sees.
        """
        return self.whole if len(chosen) == len(taps) else _AtSomeTaps(self.whole, taps, chosen)

    @property
    def memory_bytes(self) -> int:
        """What all statistics take in memory."""
        return sum(statistic.memory_bytes for statistic in self.statistics.values())

    def update(self, batch: Batch) -> None:
        """Take in one batch."""
        for statistic in self.statistics.values():
            statistic.update(batch)
        self.storage.let_go()

    def state_dict(self) -> dict[str, Any]:
        """Everything that was gathered (not copies)."""
        gathered = {name: statistic.state_dict() for name, statistic in self.statistics.items()}
        return {"statistics": gathered, "skips": self.skips.as_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what was saved."""
        for name, statistic in self.statistics.items():
            statistic.load_state_dict(state["statistics"][name])
            self.storage.let_go()
        self.skips.merge(state["skips"])

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add what the same analyses gathered from other batches, as it was saved."""
        for name, statistic in self.statistics.items():
            statistic.merge(state["statistics"][name])
            self.storage.let_go()
        self.skips.merge(state["skips"])


class _AtSomeTaps(Gathering):
    """See `Gathering.at`."""

    def __init__(self, whole: Gathering, taps: Sequence[Tap], chosen: Sequence[Tap]):
        self.whole = whole
        self.plan, self.storage = whole.plan, whole.storage
        self.statistics, self.skips = whole.statistics, whole.skips
        self._positions = [taps.index(tap) for tap in chosen]
        self._names = ", ".join(tap.name for tap in chosen)

    def _only(self, batch: Batch) -> Batch:
        return batch.only(self._positions)

    def share(self, name: str, make: Callable[[], S]) -> S:
        """See `Gathering.share`."""
        kept = self.whole.share(f"{name}; of {self._names}", lambda: Seen(make(), self._only))
        return cast(S, kept.statistic)
