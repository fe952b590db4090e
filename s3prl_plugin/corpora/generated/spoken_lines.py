"""Any lines spoken by espeak-ng, made once and kept: speech for tasks that need certain words or a certain manner.

The speech is a corpus like any other (a manifest in the cache); the layouts of the tasks are made of it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import asdict

from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.corpora.formats import manifest
from s3prl_plugin.corpora.generated.espeak import INSTALL
from s3prl_plugin.corpora.generated.recipe import VERSION, SpokenLine
from s3prl_plugin.corpora.generated.speaking import speak_lines
from s3prl_plugin.corpora.generated.synthesis import NOTE
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import cache
from s3prl_plugin.files.unfinished import is_free, whole_folder


def speak(lines: Sequence[SpokenLine]) -> Corpus:
    """Have lines spoken, unless they have been spoken before. The same lines give the same bits.

    Args:
        lines: who says what; their names are unique.

    Returns:
        Generated speech with an utterance for every line, whose `sentence` is the line's text.

    Raises:
        UserError: espeak-ng is not installed.
    """
    path = cache.folder("spoken") / _key(lines)
    if is_free(path):
        with whole_folder(path) as temporary:
            speak_lines(lines, {"name": "generated", "kind": "generated", "note": NOTE}, temporary)
    return manifest.read(path, phone_set="as_is")


def _key(lines: Sequence[SpokenLine]) -> str:
    """A folder's name, the same for the same lines and espeak-ng."""
    try:
        version = importlib.metadata.version("espeakng-loader")
    except importlib.metadata.PackageNotFoundError:
        raise UserError(f"generated speech needs espeakng-loader, which is not installed: {INSTALL}") from None
    said = json.dumps([asdict(line) for line in lines])
    return hashlib.sha256(f"{VERSION} {version} {said}".encode()).hexdigest()[:16]
