"""The options of an analysis: merged with its packaged defaults, and checked where they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from s3prl_plugin.analysis.defaults import analysis_defaults
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states import tap_selection
from s3prl_plugin.states.taps import Tap

# What changes no number, and what says which numbers there are (rows say the corpus and what it holds themselves).
_WITHOUT_INFLUENCE = ("num_workers", "memory_limit_gb", "checkpoint_minutes", "keep_statistics", "part", "merge")
_WHICH = ("measures", "taps", "corpus", "scores", "protocol", "segment_weights", "silence", "control")


class Options:
    """What `downstream_expert` says, over the defaults of the downstream's own config.yaml.

    Args:
        name: of the downstream.
        given: the options that were set.

    Raises:
        UserError: an option that the downstream does not have.
    """

    def __init__(self, name: str, given: Mapping[str, Any]):
        defaults = analysis_defaults(name)
        for key in given:
            if key not in defaults:
                raise UserError(f"{name}: unknown option {key!r} in downstream_expert; {did_you_mean(key, defaults)}")
        self.name = name
        self.values = {**defaults, **given}

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

    def choice(self, key: str, known: Sequence[str]) -> str:
        """One of a few names."""
        value = self.values[key]
        if value not in known:
            raise self.error(key, "one of " + ", ".join(known))
        return value

    def choices(self, key: str, known: Sequence[str]) -> list[str]:
        """A list of some of a few names, one at least, in the order of `known`."""
        chosen = self.some(key, known)
        if not chosen:
            raise self.error(key, "a list of some of " + ", ".join(known))
        return chosen

    def some(self, key: str, known: Sequence[str]) -> list[str]:
        """A list of some of a few names, or of none, in the order of `known`."""
        value = self.values[key]
        if not isinstance(value, list):
            raise self.error(key, "a list of some of " + ", ".join(known))
        for name in value:
            if name not in known:
                hint = did_you_mean(str(name), known)
                raise UserError(f"{self.name}: downstream_expert.{key}: there is no {name!r}; {hint}")
        return [name for name in known if name in value]

    def one_or_some(self, key: str, known: Sequence[str]) -> list[str]:
        """One of a few names, or a list of some of them, one at least, in the order of `known`."""
        return self.choices(key, known) if isinstance(self.values[key], list) else [self.choice(key, known)]

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
        value = self.values[key]
        if value is None:
            return [tap.name for tap in taps]
        if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
            raise self.error(key, "null or a list of taps, by names or patterns, such as [mid.layer3, 'dec0.*']")
        try:
            return tap_selection.by_patterns(value, taps)
        except UserError as error:
            raise UserError(f"{self.name}: downstream_expert.{key}: {error}") from None

    def integer(self, key: str, least: int) -> int:
        """A whole number of at least `least`."""
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.error(key, f"a whole number of at least {least}")
        return value

    def flag(self, key: str) -> bool:
        """true or false."""
        if not isinstance(self.values[key], bool):
            raise self.error(key, "true or false")
        return self.values[key]

    def limit(self, key: str, least: int = 1) -> int | None:
        """A whole number of at least `least`, or null for no limit."""
        return None if self.values[key] is None else self.integer(key, least)

    def positive(self, key: str) -> float:
        """A number above zero."""
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise self.error(key, "a number above 0")
        return float(value)
