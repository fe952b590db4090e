"""TIMIT in both of its layouts, built from the sample, against the sample's own tables."""

import csv

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.formats import manifest, timit
from s3prl_plugin.corpora.readers.alignments import UNREADABLE
from s3prl_plugin.errors import UserError

PER_SPEAKER = 3


def build(sample, root, where, upper):
    """Write a few utterances of each speaker in a layout: WAV, .phn, .wrd, .txt."""
    case = str.upper if upper else str.lower
    utterances, taken = {}, {}
    for row in table(sample / "utterances.tsv"):
        if taken.setdefault(row["speaker"], 0) < PER_SPEAKER:
            taken[row["speaker"]] += 1
            utterances[row["utt"]] = row
    lines = {utt: {"phones": [], "words": []} for utt in utterances}
    for kind in ("phones", "words"):
        for row in table(sample / f"{kind}.tsv"):
            if row["utt"] in utterances:
                lines[row["utt"]][kind].append(f"{row['start_sample']} {row['end_sample']} {row['label']}\n")
    for utt, row in utterances.items():
        folder = root / case(where.format(**row))
        folder.mkdir(parents=True, exist_ok=True)
        samples, rate = soundfile.read(sample / row["audio"], dtype="int16")
        stem = row["utt"].split("_")[1]
        soundfile.write(folder / case(f"{stem}.wav"), samples, rate, format="WAV")
        (folder / case(f"{stem}.phn")).write_text("".join(lines[utt]["phones"]))
        (folder / case(f"{stem}.wrd")).write_text("".join(lines[utt]["words"]))
        (folder / case(f"{stem}.txt")).write_text(f"0 {len(samples)} {row['transcript']}\n")
    return utterances


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize(
    ("where", "upper"),
    [("{dialect}-{speaker}", False), ("train/{dialect}/{speaker}", True), ("train/{dialect}/{speaker}", False)],
    ids=["NLTK", "LDC", "LDC in lower case"],
)
def test_both_layouts_give_what_the_manifest_gives(timit_sample, tmp_path, where, upper):
    utterances = build(timit_sample, tmp_path, where, upper)
    found = timit.read(tmp_path)
    wanted = [u for u in manifest.read(timit_sample).utterances if u.name in utterances]
    assert len(found.utterances) == len(wanted) == 16 * PER_SPEAKER
    assert found.silence == {"sil"}
    for a, b in zip(found.utterances, wanted, strict=True):
        assert (a.name, a.speaker, a.sentence, a.duration_s) == (b.name, b.speaker, b.sentence, b.duration_s)
        for ours, theirs in ((a.phones, b.phones), (a.words, b.words)):
            assert [s.label for s in ours] == [s.label for s in theirs]
            assert np.allclose([(s.start_s, s.end_s) for s in ours], [(s.start_s, s.end_s) for s in theirs], atol=1e-6)
        assert np.array_equal(audio.load(a), audio.load(b))


@pytest.fixture
def tiny(tmp_path, write_audio):
    """TRAIN and TEST with one speaker each, two utterances a speaker."""
    for folder in ("TRAIN/DR1/FAAA0", "TEST/DR2/MBBB0"):
        for stem in ("SA1", "SX5"):
            write_audio(tmp_path / folder / f"{stem}.WAV")
            (tmp_path / folder / f"{stem}.PHN").write_text("0 4000 h#\n4000 8000 q\n8000 12000 tcl\n12000 16000 t\n")
            (tmp_path / folder / f"{stem}.WRD").write_text("8000 16000 too\n")
    return tmp_path


def test_labels_as_they_are_and_folded(tiny):
    def labels(**options):
        return [p.label for p in timit.read(tiny, **options).utterances[0].phones]

    assert labels() == ["sil", "sil", "t"]
    assert labels(phone_set="48") == ["sil", "cl", "t"]
    assert labels(phone_set="61") == ["h#", "q", "tcl", "t"]


def test_parts(tiny):
    assert {u.speaker for u in timit.read(tiny).utterances} == {"faaa0", "mbbb0"}
    assert {u.speaker for u in timit.read(tiny, part="train").utterances} == {"faaa0"}
    assert {u.speaker for u in timit.read(tiny, part="test").utterances} == {"mbbb0"}
    assert {u.speaker for u in timit.read(tiny / "TEST").utterances} == {"mbbb0"}
    with pytest.raises(UserError, match="part='tset': did you mean 'test'"):
        timit.read(tiny, part="tset")


def test_sphere_beside_its_conversion_counts_once(tiny, write_audio):
    write_audio(tiny / "TRAIN/DR1/FAAA0/SA1.WAV.wav", 8000)
    first = timit.read(tiny).utterances[0]
    assert first.audio.name == "SA1.WAV"


def test_bad_utterances_are_counted(tiny):
    folder = tiny / "TRAIN/DR1/FAAA0"
    (folder / "SA1.PHN").unlink()
    (folder / "SX5.PHN").write_text("0 4000\n")
    (tiny / "TEST/DR2/MBBB0/SA1.PHN").write_text("0 17000 iy\n")
    corpus = timit.read(tiny)
    assert corpus.skipped == {
        timit.NO_LABELS: ("faaa0_sa1",),
        UNREADABLE: ("faaa0_sx5",),
        "alignment past the end of its audio": ("mbbb0_sa1",),
    }
    assert [u.name for u in corpus.utterances] == ["mbbb0_sx5"]


def test_no_timit_there(tmp_path):
    with pytest.raises(UserError, match="the corpus is empty"):
        timit.read(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        timit.read(tmp_path / "gone")
