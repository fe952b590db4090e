"""What a suite says of its feature store: `store: true`, or some of the options below."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from s3prl_plugin.errors import UserError, did_you_mean

DTYPES = ("float16", "bfloat16", "float32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How features are kept.

    Attributes:
        enabled: whether they are.
        dtype: as what: "float16", "bfloat16", or "float32", which loses nothing. What a task sees is rounded so from
            the first epoch on.
        budget_gb: so many gigabytes (10^9 bytes) in all, for every upstream in the folder; None for no limit.
        folder: where; None for `store` in the experiment's folder. Many runs may share one, also at the same time.
        check: score every task once more from features that are computed afresh, and say how the scores differ.

    Raises:
        UserError: an option has a value that it cannot have.
    """

    enabled: bool = True
    dtype: str = "float16"
    budget_gb: float | None = 20
    folder: str | None = None
    check: bool = False

    def __post_init__(self) -> None:
        for name in ("enabled", "check"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"store.{name}: {getattr(self, name)!r} is neither true nor false")
        if self.dtype not in DTYPES:
            raise UserError(f"store.dtype: {self.dtype!r} is not possible; {did_you_mean(str(self.dtype), DTYPES)}")
        budget = self.budget_gb
        if budget is not None and (type(budget) not in (int, float) or not budget > 0):
            raise UserError(f"store.budget_gb: {budget!r} is no number of gigabytes above 0; null stands for no limit")
        if self.folder is not None and not (isinstance(self.folder, str) and self.folder):
            raise UserError(f"store.folder: {self.folder!r} is no folder; null stands for one in the experiment's")


KEYS = tuple(field.name for field in fields(Options))


def read(given: Any) -> Options:
    """The options from what stands under `suite.store`: nothing, true, false, or some of them.

    Raises:
        UserError: an option is unknown, or a value is not possible.
    """
    if given is None or isinstance(given, bool):
        return Options(enabled=bool(given))
    if not isinstance(given, dict):
        raise UserError(f"store: {given!r} is not possible; give true, false or keys: {', '.join(KEYS)}")
    for name in given:
        if name not in KEYS:
            raise UserError(f"store: unknown key {name!r}; {did_you_mean(str(name), KEYS)}")
    return Options(**given)
