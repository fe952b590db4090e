#!/usr/bin/env bash
# lhotse 1.33.0: in a cut, supervisions are counted from the start of the cut, but the items of their alignments stay
# counted from the start of the recording.
#
# `trim_to_supervisions` (and `truncate`) move `supervision.start` to the cut's time. `SupervisionSegment.with_offset`,
# which does that, hands `alignment` on as it is: "w.r.t. the start of recording" says AlignmentItem's documentation,
# and a cuts.jsonl has both clocks in one record. A reader that takes the items to be on the clock of the supervision
# that they belong to finds words after the end of its audio; the word's place in the cut is item.start - cut.start.
#
# Seen (a recording of 4 s, a supervision from 1.5 to 2.5 s, a word from 1.6 to 1.9 s):
#   cut.start 1.5  supervision.start 0.0  word.start 1.6
#
# (urllib3 is named below because `import lhotse` needs it and the package does not ask for it.)
#
# Exit 0 while this holds, 1 when it changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q lhotse==1.33.0 urllib3 numpy soundfile 2>"$work/pip.log" || { cat "$work/pip.log"; exit 2; }
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import soundfile
from lhotse import CutSet, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.supervision import AlignmentItem

soundfile.write("a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 64000), 16000)
word = AlignmentItem("hello", 1.6, 0.3, None)
said = SupervisionSegment("s", "a", 1.5, 1.0, 0, "hello", speaker="ann", alignment={"word": [word]})
recordings = RecordingSet.from_recordings([Recording.from_file("a.wav")])
(cut,) = CutSet.from_manifests(recordings, SupervisionSet.from_segments([said])).trim_to_supervisions()
(inside,) = cut.supervisions
(item,) = inside.alignment["word"]
print(f"cut.start {cut.start}  supervision.start {inside.start}  word.start {item.start}")
sys.exit(0 if (cut.start, inside.start, item.start) == (1.5, 0.0, 1.6) else 1)
PY
