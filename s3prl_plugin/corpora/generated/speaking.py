"""Has lines spoken by a clean process: any other may have threads, or may have spoken already.

`python -m s3prl_plugin.corpora.generated.speaking FOLDER` is that process. On standard input it takes JSON,
{"lines": ..., "about": ...}; on standard output it reports in lines of JSON, {"done": how many utterances} or
{"error": one line}.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

import s3prl_plugin
from s3prl_plugin.corpora.generated.espeak import Voice
from s3prl_plugin.corpora.generated.recipe import SpokenLine
from s3prl_plugin.corpora.generated.synthesis import synthesise
from s3prl_plugin.errors import UserError

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def speak_lines(said: Sequence[SpokenLine], about: Mapping[str, object], folder: Path, progress: bool = True) -> None:
    """Speak lines into a folder, with the same bits every time; see `synthesise`.

    Args:
        said: who says what; names are unique.
        about: what corpus.yaml shall say (`name`, `kind`, `note`, ...); the version of espeak-ng is added.
        folder: an empty one; it becomes a manifest: audio/*.wav, three tables, corpus.yaml.
        progress: show a bar.

    Raises:
        UserError: espeak-ng cannot be used.
    """
    here = str(Path(s3prl_plugin.__file__).resolve().parent.parent)
    paths = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    with (
        subprocess.Popen(
            [sys.executable, "-P", "-m", "s3prl_plugin.corpora.generated.speaking", str(folder.resolve())],
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ) as process,
        tqdm(total=len(said), desc="generating speech", unit="utt", disable=not progress) as bar,
    ):
        try:
            error = _follow(process, json.dumps({"lines": [asdict(line) for line in said], "about": about}), bar)
        except BaseException:
            process.kill()
            raise
    if error is not None:
        raise UserError(error)
    if process.returncode != 0:
        raise RuntimeError(f"generating speech ended with status {process.returncode}; its error is shown above")


def _follow(process: subprocess.Popen[str], job: str, bar: tqdm) -> str | None:
    """Give a process its job and move the bar until it ends; the error that it reports."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError), process.stdin:  # a process that died at once has its status told below
        process.stdin.write(job)
    error = None
    for line in process.stdout:
        report = json.loads(line)
        error = report.get("error", error)
        bar.update(report.get("done", bar.n) - bar.n)
    return error


def main(arguments: Sequence[str] | None = None) -> int:
    """The process that `speak_lines` starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    job = json.load(sys.stdin)
    said = [SpokenLine(**{**line, "voice": Voice(**line["voice"])}) for line in job["lines"]]
    try:
        synthesise(said, job["about"], folder, lambda done: print(json.dumps({"done": done}), flush=True))
    except UserError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
