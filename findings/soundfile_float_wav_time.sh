#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile 1.2.2): the same float samples, written twice, give two files. A float WAV or AIFF gets a
# PEAK chunk that holds the second in which it was written; the same samples as 16-bit integers give the same bytes. So
# checksums of float audio tell when it was written: copies compare equal, and the same corpus made again does not.
#
# Seen, two seconds apart: FLOAT WAV differs at byte 60, FLOAT AIFF at byte 71, the lowest of the chunk's time; PCM_16
# WAV and FLAC do not differ.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet numpy==2.2.6 soundfile==0.14.0
cd "$work"
venv/bin/python - <<'PY'
import time

import numpy as np
import soundfile

x = np.random.default_rng(0).uniform(-0.5, 0.5, 16000).astype("float32")
KINDS = [("WAV", "FLOAT"), ("AIFF", "FLOAT"), ("WAV", "PCM_16"), ("FLAC", "PCM_16")]


def written():
    """The bytes of x in every format."""
    found = {}
    for kind, subtype in KINDS:
        soundfile.write("a", x, 16000, format=kind, subtype=subtype)
        found[kind, subtype] = open("a", "rb").read()
    return found


before = written()
time.sleep(2.1)
after = written()
for kind, one in before.items():
    places = [i for i, (a, b) in enumerate(zip(one, after[kind], strict=True)) if a != b]
    print(*kind, "differs at", places)
    if kind[1] != "FLOAT":
        assert not places, kind
        continue
    stamp = one.index(b"PEAK") + 12
    assert places and set(places) <= set(range(stamp, stamp + 4)), "the time is no longer in the PEAK chunk"
PY
