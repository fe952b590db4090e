"""What the charts and the page need beside the package itself."""

from __future__ import annotations

import importlib.util

from s3prl_plugin.errors import UserError

PACKAGES = ("altair", "vl_convert", "jinja2")


def require_altair(*packages: str) -> None:
    """Say how to install what is absent.

    Args:
        packages: what is needed, by the names they are imported by; by default altair alone.

    Raises:
        UserError: one of them is absent.
    """
    absent = [name for name in packages or ("altair",) if importlib.util.find_spec(name) is None]
    if absent:
        raise UserError(f"the report page needs {', '.join(absent)}: pip install 's3prl_plugin[report]'")
