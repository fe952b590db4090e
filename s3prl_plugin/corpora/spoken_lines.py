"""Any lines spoken by espeak-ng, made once and kept: speech for tasks that need certain words or a certain manner.

The speech is a corpus like any other (a manifest in the cache); the layouts of the tasks are made of it.
`python -m s3prl_plugin.corpora.spoken FOLDER` is the process that speaks: it takes the lines from standard input.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import yaml

import s3prl_plugin
from s3prl_plugin.corpora import generated, manifest, synthesis
from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.corpora.espeak import INSTALL, Voice
from s3prl_plugin.corpora.fresh_process import each_in_fresh_process
from s3prl_plugin.corpora.recipe import VERSION, Line
from s3prl_plugin.corpora.whole_folder import is_free, whole_folder
from s3prl_plugin.errors import UserError

NAME = "generated"


def speak(lines: Sequence[Line]) -> Corpus:
    """Have lines spoken, unless they have been spoken before. The same lines give the same bits.

    Args:
        lines: who says what; their names are unique.

    Returns:
        Generated speech with an utterance for every line, whose `sentence` is the line's text.

    Raises:
        UserError: espeak-ng is not installed.
    """
    said = json.dumps([asdict(line) for line in lines])
    path = _cache() / _key(said)
    if is_free(path):
        with whole_folder(path) as temporary:
            _speak_elsewhere(said, temporary)
    return manifest.read(path, phone_set="as_is")


def _cache() -> Path:
    """The folder that keeps what was spoken."""
    root = os.environ.get(generated.CACHE) or Path.home() / ".cache" / "s3prl_plugin"
    return Path(root).expanduser() / "spoken"


def _key(said: str) -> str:
    """A folder's name, the same for the same lines and espeak-ng."""
    try:
        version = importlib.metadata.version("espeakng-loader")
    except importlib.metadata.PackageNotFoundError:
        raise UserError(f"generated speech needs espeakng-loader, which is not installed: {INSTALL}") from None
    return hashlib.sha256(f"{VERSION} {version} {said}".encode()).hexdigest()[:16]


def _speak_elsewhere(said: str, folder: Path) -> None:
    """Speak in a clean process: this one may have threads or may have spoken."""
    here = str(Path(s3prl_plugin.__file__).resolve().parent.parent)
    paths = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(folder.resolve())],
        input=said,
        env={**os.environ, **one_thread, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    if done.stdout:
        raise UserError(done.stdout.strip())
    if done.returncode != 0:
        raise RuntimeError(f"generating speech ended with status {done.returncode}; its error is shown above")


def write(lines: Sequence[Line], folder: Path) -> None:
    """Speak lines into a manifest corpus, in this process, which must not have spoken yet and has no threads.

    Args:
        folder: an empty one.
    """
    synthesis._espeak()  # forked children inherit it
    (folder / "audio").mkdir()
    jobs = [(line, str(folder / "audio" / f"{line.name}.wav")) for line in lines]
    spoken = dict(each_in_fresh_process(synthesis._speak, jobs, min(os.cpu_count() or 1, 8)))
    synthesis._write_tables(folder, lines, [spoken[i] for i in range(len(lines))])
    about = {"name": NAME, "kind": "generated", "note": synthesis.NOTE}
    (folder / "corpus.yaml").write_text(yaml.safe_dump(about, sort_keys=False), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The process that `speak` starts; it prints what the user can mend, and nothing else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    lines = [Line(**{**line, "voice": Voice(**line["voice"])}) for line in json.load(sys.stdin)]
    try:
        write(lines, chosen.folder)
    except UserError as error:
        print(error)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
