"""The options of an analysis: merged with its packaged defaults, and checked where they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from s3prl_plugin.analysis.defaults import analysis_defaults
from s3prl_plugin.config import schema
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states import tap_selection
from s3prl_plugin.states.taps import Tap

# What changes no number, and what says which numbers there are (rows say the corpus and what it holds themselves).
_WITHOUT_INFLUENCE = (
    *("num_workers", "memory_limit_gb", "statistics_on_disk", "checkpoint_minutes", "keep_statistics", "part", "merge"),
)
_WHICH = ("measures", "taps", "corpus", "scores", "protocol", "segment_weights", "silence", "control")


class Options:
    """What `downstream_expert` says, over the defaults of the downstream's own config.yaml.

    Args:
        name: of the downstream.
        given: the options that were set.
        types: option -> what it may be, as an annotation; the others are for the downstream to check.

    Raises:
        UserError: an option that the downstream does not have, or that has a value that it cannot have.
    """

    def __init__(self, name: str, given: Mapping[str, Any], types: Mapping[str, Any] = MappingProxyType({})):
        defaults = analysis_defaults(name)
        for key in given:
            if key not in defaults:
                raise UserError(f"{name}: unknown option {key!r} in downstream_expert; {did_you_mean(key, defaults)}")
        self.name = name
        self.values = {**defaults, **given}
        for key in types.keys() & self.values.keys():
            schema.check(f"{name}: downstream_expert.{key}", types[key], self.values[key])

    @property
    def decisive(self) -> dict[str, Any]:
        """The options that decide a number, whichever numbers are asked for."""
        return {key: value for key, value in self.values.items() if key not in (*_WITHOUT_INFLUENCE, *_WHICH)}

    def __getitem__(self, key: str) -> Any:
        """An option as it stands."""
        return self.values[key]

    def error(self, key: str, wanted: str) -> UserError:
        """The error for a value that cannot be used."""
        return UserError(f"{self.name}: downstream_expert.{key} is {self.values[key]!r}; it must be {wanted}")

    def chosen(self, key: str, known: Sequence[str]) -> list[str]:
        """One of a few names or a list of some, which have been checked, in the order of `known`."""
        value = self.values[key]
        return [name for name in known if name in (value if isinstance(value, list) else [value])]

    def tap(self, key: str, taps: Sequence[Tap]) -> int:
        """The position of a tap that is given by name; null: the first one."""
        value, names = self.values[key], [tap.name for tap in taps]
        if value is None:
            return 0
        if value not in names:
            hint = did_you_mean(str(value), names)
            raise UserError(f"{self.name}: downstream_expert.{key}: no tap is called {value!r}; {hint}")
        return names.index(value)

    def taps(self, key: str, taps: Sequence[Tap]) -> list[str]:
        """The names of the taps that a list of names and patterns means; null: of all."""
        if self.values[key] is None:
            return [tap.name for tap in taps]
        try:
            return tap_selection.by_patterns(self.values[key], taps)
        except UserError as error:
            raise UserError(f"{self.name}: downstream_expert.{key}: {error}") from None
