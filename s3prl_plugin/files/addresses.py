"""Addresses on the web, and what of them may be shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# scheme, name and password, host and path, query
_SECRET = re.compile(r"([A-Za-z][\w+.-]*://)([^\s/?#]*@)?([^\s?#'\"]*)(\?[^\s#'\"]*)?")


def is_address(text: str) -> bool:
    """Whether a text is the address of something on the web."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def shown(text: str) -> str:
    """A text for messages and logs: addresses in it without names, passwords and queries, which may be secret."""
    return _SECRET.sub(lambda match: match[1] + match[3] + ("?..." if match[4] else ""), text)
