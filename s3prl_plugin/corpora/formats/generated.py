"""The embedded default corpus: generated speech with phones, words and twelve voices, made once and kept.

Reading it needs neither a download nor a licence; making it needs espeak-ng, which `s3prl-plugin[demo]` brings.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import asdict
from pathlib import Path

import yaml

from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.corpora.formats import manifest
from s3prl_plugin.corpora.generated.espeak import INSTALL
from s3prl_plugin.corpora.generated.recipe import Recipe, lines
from s3prl_plugin.corpora.generated.speaking import speak_lines
from s3prl_plugin.corpora.generated.synthesis import NOTE
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import cache
from s3prl_plugin.files.unfinished import is_free, whole_folder


def read(
    voices: int = Recipe.voices, sentences: int = Recipe.sentences, seed: int = 0, folder: str | Path | None = None
) -> Corpus:
    """Generated speech as a corpus, made if it is not there yet; see `generate`."""
    return manifest.read(generate(folder, voices, sentences, seed))


def generate(
    folder: str | Path | None = None,
    voices: int = Recipe.voices,
    sentences: int = Recipe.sentences,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Make generated speech, unless it is there already. The same arguments give the same bits.

    Args:
        folder: where to; by default a folder of the cache (`$S3PRL_PLUGIN_CACHE`, else ~/.cache/s3prl_plugin).
        voices: how many speakers, 1 to 12.
        sentences: per speaker, about 2.7 s each; no two are the same.
        seed: of the drawing of words.
        progress: show a bar.

    Returns:
        The folder: a manifest (utterances.tsv, phones.tsv, words.tsv, 16 kHz mono WAV) with a corpus.yaml that says
        how it was made. It is written whole or not at all.

    Raises:
        UserError: espeak-ng is not installed, or the folder holds something else.
    """
    recipe = Recipe(voices, sentences, seed)
    path = Path(folder).expanduser() if folder is not None else cache.folder("generated") / _key(recipe)
    if not is_free(path):
        _check_same(path, recipe)
        return path
    with whole_folder(path) as temporary:
        about = {
            "name": "generated",
            "kind": "generated",
            "note": NOTE,
            "recipe": {**asdict(recipe), "digest": recipe.digest},
        }
        speak_lines(list(lines(recipe)), about, temporary, progress)
    return path


def _key(recipe: Recipe) -> str:
    """A folder's name, the same for the same recipe and espeak-ng."""
    try:
        version = importlib.metadata.version("espeakng-loader")
    except importlib.metadata.PackageNotFoundError:
        raise UserError(f"generated speech needs espeakng-loader, which is not installed: {INSTALL}") from None
    return hashlib.sha256(f"{recipe.digest} {version}".encode()).hexdigest()[:16]


def _check_same(path: Path, recipe: Recipe) -> None:
    """Refuse a folder that holds anything but this recipe's outcome."""
    about = path / "corpus.yaml"
    try:
        digest = yaml.safe_load(about.read_text(encoding="utf-8"))["recipe"]["digest"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError):
        raise UserError(f"{path}: not empty, and not generated speech; choose another folder") from None
    if digest != recipe.digest:
        raise UserError(f"{path}: generated with other settings ({about}); choose another folder or remove this one")
