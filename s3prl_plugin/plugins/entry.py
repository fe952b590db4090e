"""An upstream on s3prl's hub."""

from __future__ import annotations

from typing import Any

from s3prl_plugin.plugins.origin import attribute


class HubEntry:
    """An upstream's entry on s3prl.hub: calls its target, which is imported at the first call.

    Args:
        name: the entry.
        target: "module:function".
    """

    def __init__(self, name: str, target: str):
        self.__name__ = self.__qualname__ = name
        self.__module__ = __name__
        self.target = target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function()(*args, **kwargs)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function().__doc__

    @property
    def __wrapped__(self) -> Any:  # for inspect.signature
        return self.function()

    def __repr__(self) -> str:
        return f"<upstream {self.__name__} -> {self.target}>"

    def function(self) -> Any:
        """The target, imported.

        Raises:
            UserError: it is of another package, which is broken.
        """
        module, _, function = self.target.partition(":")
        return attribute("upstream", self.__name__, self.target, function, module)
