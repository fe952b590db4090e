#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile 1.2.2) gives a third of an MP3 as the whole, where its frames differ in size and no header
# says how many there are. Beside it, miniaudio 1.71 decodes all of it.
#
# An MP3 of variable bit rate is a row of frames; encoders put one in front that states their number (Xing), which files
# that were streamed, cut or joined frame by frame do not have. libsndfile then estimates the length from the size of the
# first frames and stops there, also where more decodes. With a large ID3 tag (a picture) in front, the tag's bytes are
# counted as sound: the stated length is too long, and reading gives fewer samples than `frames`, without an error.
#
# Seen, of 441000 samples written:
#   variable: soundfile states 147131, reads 147131; miniaudio decodes 442368
#   variable, a tag of 60000 bytes in front: soundfile states 279567, reads 279567; miniaudio decodes 442368
#   constant, the same tag in front: soundfile states 575183, reads 442368; miniaudio decodes 442368
# (The estimates may differ a little with the encoder; the script checks their order.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet numpy==2.2.6 soundfile==0.14.0 miniaudio==1.71
cd "$work"
venv/bin/python - <<'PY'
import miniaudio
import numpy as np
import soundfile

RATE = 44100
KBIT = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
rng = np.random.default_rng(0)
x = np.concatenate([1e-4 * rng.standard_normal(5 * RATE), 0.3 * rng.standard_normal(5 * RATE)]).astype("float32")


def frames_only(mode):
    """An MP3 of x, its sound frames alone, without the frame that states their number."""
    soundfile.write("a.mp3", x, RATE, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode=mode, compression_level=0.5)
    raw = open("a.mp3", "rb").read()
    return raw[144 * KBIT[raw[2] >> 4] * 1000 // RATE + (raw[2] >> 1 & 1) :]


def lengths(content):
    """What soundfile states and reads, and what miniaudio decodes."""
    open("b.mp3", "wb").write(content)
    with soundfile.SoundFile("b.mp3") as file:
        stated, read = file.frames, 0
        while len(block := file.read(65536)):
            read += len(block)
    decoded = miniaudio.decode(content, miniaudio.SampleFormat.FLOAT32, 1, RATE)
    return stated, read, len(decoded.samples)


size = 60_000
tag = b"ID3\x04\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(size)
variable, constant = frames_only("VARIABLE"), frames_only("CONSTANT")
plain, tagged, tagged_constant = lengths(variable), lengths(tag + variable), lengths(tag + constant)
print("written", len(x))
for name, found in (("variable", plain), ("variable, tag", tagged), ("constant, tag", tagged_constant)):
    print(f"{name}: soundfile states {found[0]}, reads {found[1]}; miniaudio decodes {found[2]}")
assert soundfile.__libsndfile_version__ == "1.2.2", soundfile.__libsndfile_version__
assert plain[2] >= len(x) and tagged[2] >= len(x), "miniaudio does not decode all of it"
assert plain[1] == plain[0] < 0.5 * len(x), "soundfile no longer stops at its estimate"
assert tagged[0] > plain[0] + 50_000, "the tag is no longer counted"
assert tagged_constant[0] > tagged_constant[1] + 10_000 and tagged_constant[1] >= len(x), "the tag is no longer counted"
PY
