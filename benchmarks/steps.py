"""Seconds of the processor that named functions take while something else runs."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Self
from unittest import mock


class Steps:
    """A context in which every call of some functions is timed, less the calls within it that are.

    Args:
        functions: what a step is called -> functions of it, "package.module:Class.name".

    Attributes:
        seconds: what it is called -> seconds so far.
    """

    def __init__(self, functions: Mapping[str, tuple[str, ...]]):
        self.seconds = dict.fromkeys(functions, 0.0)
        self._functions = functions
        self._within: list[float] = []  # of the calls that are going on, the seconds of those within
        self._patched = ExitStack()

    def __enter__(self) -> Self:
        """Time from here on."""
        for step, paths in self._functions.items():
            for path in paths:
                module, _, names = path.partition(":")
                *owners, name = names.split(".")
                owner = functools.reduce(getattr, owners, importlib.import_module(module))
                self._patched.enter_context(mock.patch.object(owner, name, self._timed(step, getattr(owner, name))))
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the functions as they were."""
        self._patched.close()

    def _timed(self, step: str, function: Any) -> Any:
        """A function that notes its time."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._within.append(0.0)
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.process_time() - start
                self.seconds[step] += spent - self._within.pop()
                if self._within:
                    self._within[-1] += spent

        return timed
