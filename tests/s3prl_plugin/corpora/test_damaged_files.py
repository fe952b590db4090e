"""Damage to a corpus is one line for the user or a counted skip, never nonsense and never a traceback."""

import json
import random

import numpy as np
import pytest

from s3prl_plugin.corpora import audio, open_corpus
from s3prl_plugin.errors import UserError

GRID = '"ooTextFile" "TextGrid" 0 0.2 <exists> 1 "IntervalTier" "phones" 0 0.2 1 0 0.2 "AH0"'
RECORDING = {
    "id": "a", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}], "sampling_rate": 16000,
    "num_samples": 3200, "duration": 0.2,
}  # fmt: skip
SUPERVISION = {
    "id": "a1", "recording_id": "a", "start": 0.05, "duration": 0.1, "channel": 0, "text": "oh", "speaker": "ann",
    "alignment": {"word": [["oh", 0.05, 0.1, None]], "phone": [["OW1", 0.05, 0.1, None]]},
}  # fmt: skip
CUT = {
    "id": "a", "start": 0.05, "duration": 0.1, "channel": 0, "supervisions": [{**SUPERVISION, "start": 0}],
    "recording": RECORDING, "type": "MonoCut",
}  # fmt: skip
TEXTS = {
    "m/utterances.tsv": "utt\taudio\tspeaker\ttranscript\na\ta.wav\ts\tHi you\nb\tb.flac\tt\tho\n",
    "m/phones.tsv": "utt\tlabel\tstart_s\tend_s\na\th#\t0\t0.1\nb\tiy\t0.05\t0.2\n",
    "m/words.ctm": "a 1 0 0.1 hi\nb 1 0 0.1 ho\n",
    "m/corpus.yaml": "name: x\nkind: real\n",
    "t/dr1-b/sa1.phn": "0 1600 h#\n1600 3200 iy\n",
    "t/dr1-b/sa1.wrd": "0 1600 he\n",
    "l/1/2/1-2.trans.txt": "1-2-0001 HI HO\n1-2-0002 HI\n",
    "l/1/2/1-2.alignment.txt": '1-2-0001 ",HI,HO" "0.05,0.1,0.15"\n',
    "l/1/2/1-2-0002.TextGrid": GRID,
    "g/utterances.tsv": "utt\taudio\tspeaker\na\ta.wav\tann\nb\tb.wav\tbob\n",
    "g/a.textgrid": GRID.replace("phones", "ann - phones").replace("0 0.2", "3 3.2"),
    "g/b.TextGrid": GRID.replace("phones", "MAU"),
    "b/s01/s0101a.words": "type 0\n#\n 0.02 121 {B_TRANS}\n 0.12 122 oh; ow; ow; UH\n 0.2 122 <IVER>\n",
    "b/s01/s0101a.phones": "type 0\n#\n 0.02 121 SIL\n 0.12 122 ow ; *\n 0.2 122 IVER\n",
    "h/recordings.jsonl": json.dumps(RECORDING) + "\n",
    "h/supervisions.jsonl": json.dumps(SUPERVISION) + "\n",
    "c/cuts.jsonl": json.dumps(CUT) + "\n",
}
FORMATS = {
    "m": "manifest", "t": "timit", "l": "librispeech", "g": "manifest", "b": "buckeye", "h": "lhotse", "c": "lhotse"
}  # fmt: skip
AUDIO = ("m/a.wav", "m/b.flac", "t/dr1-b/sa1.wav", "l/1/2/1-2-0001.flac", "l/1/2/1-2-0002.flac")
AUDIO += ("g/a.wav", "g/b.wav", "b/s01/s0101a.wav", "h/a.wav", "c/a.wav")


def damaged(content, draw):
    """Cut off, with bytes changed, put in, or taken out."""
    content = bytearray(content)
    kind = draw.randrange(4)
    at = draw.randrange(len(content))
    if kind == 0:
        return bytes(content[:at])
    if kind == 1:
        content[draw.randrange(min(len(content), 200))] = draw.randrange(256)
    elif kind == 2:
        content[at:at] = bytes(draw.choices(b"\t\n \x00\xff-0.eEinfan\"'", k=draw.randrange(1, 6)))
    else:
        del content[at : at + draw.randrange(1, 20)]
    return bytes(content)


@pytest.mark.parametrize("seed", range(6))
def test_damage_is_told_or_counted(tmp_path, write_audio, seed):
    draw = random.Random(seed)
    for name in AUDIO:
        write_audio(tmp_path / name, 3200)
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(5):
        for name in (*TEXTS, *AUDIO):
            path = tmp_path / name
            whole = path.read_bytes()
            path.write_bytes(damaged(whole, draw))
            spec = FORMATS[name[0]]
            try:
                corpus = open_corpus(f"{spec}:{tmp_path / name[0]}")
            except UserError as error:
                outcomes["refused"] += 1
                lines = str(error).count("\n") + 1
            else:
                outcomes["read"] += 1
                lines = 1
                check(corpus)
            assert lines == 1
            path.write_bytes(whole)
    assert min(outcomes.values()) > 10


def check(corpus):
    """What was read makes sense."""
    assert corpus.utterances
    for utterance in corpus.utterances:
        for segment in utterance.phones + utterance.words:
            assert 0 <= segment.start_s < segment.end_s <= utterance.duration_s
        try:
            samples = audio.load(utterance)
        except audio.BadAudio:
            continue
        assert np.isfinite(samples).all()
        assert len(samples) >= audio.MIN_SAMPLES
