"""lhotse's manifests, against lhotse's own reading of them."""

import gzip
import json

import numpy as np
import pytest
from lhotse import CutSet, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.supervision import AlignmentItem

from s3prl_plugin.corpora import audio, open_corpus
from s3prl_plugin.errors import UserError

WORDS = [("hello", 0.1, 0.3), ("you", 0.4, 0.4), ("<eps>", 0.8, 0.1)]
PHONES = [("SIL", 0.0, 0.1), ("HH", 0.1, 0.2), ("OW1", 0.3, 0.1)]


def supervision(name, recording, start, speaker, channel=0):
    """Of one second."""

    def items(rows):
        return [AlignmentItem(symbol, start + at, length, None) for symbol, at, length in rows]

    return SupervisionSegment(
        name, recording, start, 1.0, channel, f"{name}: Hello you!", speaker=speaker,
        alignment={"word": items(WORDS), "phone": items(PHONES)},
    )  # fmt: skip


@pytest.fixture
def manifests(tmp_path, write_audio):
    """Two recordings, one of two channels at another rate, and three supervisions."""
    files = [write_audio(tmp_path / "a.wav", 64000), write_audio(tmp_path / "b.flac", 16000, rate=8000, channels=2)]
    recordings = RecordingSet.from_recordings([Recording.from_file(path) for path in files])
    said = [supervision("a1", "a", 0.5, "ann"), supervision("a2", "a", 2.25, "bob"),
            supervision("b1", "b", 0.75, "ann", channel=1)]  # fmt: skip
    supervisions = SupervisionSet.from_segments(said)
    recordings.to_file(tmp_path / "x_recordings_all.jsonl.gz")
    supervisions.to_file(tmp_path / "x_supervisions_all.jsonl.gz")
    return recordings, supervisions


def theirs(cut):
    """What lhotse says of a cut with one supervision: samples, words and phones from its start."""
    (said,) = cut.supervisions
    times = {
        kind: [(item.symbol, round(item.start - cut.start, 6), round(item.end - cut.start, 6)) for item in items]
        for kind, items in said.alignment.items()
    }
    return cut.load_audio()[0], times


def check(corpus, cuts):
    """Every utterance is what lhotse reads."""
    assert [u.name for u in corpus.utterances] == sorted(cut.id for cut in cuts)
    for utterance in corpus.utterances:
        cut = next(cut for cut in cuts if cut.id == utterance.name)
        samples, times = theirs(cut)
        assert utterance.speaker == cut.supervisions[0].speaker
        assert utterance.duration_s == pytest.approx(cut.duration)
        found = [(w.label, round(w.start_s, 6), round(w.end_s, 6)) for w in utterance.words]
        assert found == [item for item in times["word"] if item[0] != "<eps>"]
        found = [(p.label, round(p.start_s, 6), round(p.end_s, 6)) for p in utterance.phones]
        assert found == [(symbol.rstrip("1"), *span) for symbol, *span in times["phone"]]
        if cut.sampling_rate == 16000:
            assert np.array_equal(audio.load(utterance), samples)
        else:
            assert len(audio.load(utterance)) == round(16000 * cut.duration)


def test_recordings_and_supervisions(tmp_path, manifests):
    cuts = CutSet.from_manifests(*manifests).trim_to_supervisions(keep_overlapping=False)
    for spec in (f"lhotse:{tmp_path}/x_recordings_all.jsonl.gz", f"lhotse:{tmp_path}"):
        corpus = open_corpus(spec)
        check(corpus, list(cuts))
        assert [(u.speaker, u.session, u.sentence) for u in corpus.utterances] == [
            ("ann", "a", "a1 hello you"),
            ("bob", "a", "a2 hello you"),
            ("ann", "b", "b1 hello you"),
        ]
        assert corpus.silence == {"SIL"}
        assert corpus.no_words == {"<eps>": 3}


@pytest.mark.parametrize("ending", ["jsonl.gz", "jsonl", "json"])
def test_cuts(tmp_path, manifests, ending):
    cuts = CutSet.from_manifests(*manifests).trim_to_supervisions(keep_overlapping=False).to_eager()
    cuts.to_file(tmp_path / f"cuts.{ending}")
    check(open_corpus(f"lhotse:{tmp_path}/cuts.{ending}"), list(cuts))


def test_cuts_of_whole_recordings_become_their_supervisions(tmp_path, manifests):
    whole = CutSet.from_manifests(*manifests)
    whole.to_file(tmp_path / "cuts.jsonl.gz")
    corpus = open_corpus(f"lhotse:{tmp_path}/cuts.jsonl.gz")
    assert [u.name for u in corpus.utterances if u.session == "a"] == ["a1", "a2"]
    cuts = {cut.supervisions[0].id: cut for cut in whole.trim_to_supervisions(keep_overlapping=False)}
    for utterance in corpus.utterances[:2]:
        assert np.array_equal(audio.load(utterance), cuts[utterance.name].load_audio()[0])


def test_a_cut_that_is_shorter_than_its_supervision(tmp_path, manifests):
    cut = CutSet.from_manifests(*manifests).trim_to_supervisions(keep_overlapping=False)[0]
    CutSet.from_cuts([cut.truncate(offset=0.25, duration=0.5)]).to_file(tmp_path / "cuts.jsonl")
    corpus = open_corpus(f"lhotse:{tmp_path}/cuts.jsonl")
    assert [p.label for p in corpus.utterances[0].phones] == ["OW"]
    assert corpus.utterances[0].duration_s == pytest.approx(0.5)
    assert any("are not within their utterance" in note for note in corpus.notes)


def test_what_lhotse_has_to_read(tmp_path, manifests, monkeypatch):
    monkeypatch.setenv("S3PRL_PLUGIN_CACHE", str(tmp_path / "cache"))
    cuts = CutSet.from_manifests(*manifests).trim_to_supervisions(keep_overlapping=False).to_eager()
    first = cuts[0]
    changed = [first.perturb_speed(1.1), first.resample(8000).with_id("resampled")]
    CutSet.from_cuts(changed).to_file(tmp_path / "cuts.jsonl.gz")
    corpus = open_corpus(f"lhotse:{tmp_path}/cuts.jsonl.gz")
    assert len(corpus.utterances) == 2
    found = {u.name: u for u in corpus.utterances}
    fast = found[changed[0].id]
    whole, start = changed[0].recording.load_audio()[0], round(16000 * changed[0].start)
    assert np.array_equal(audio.load(fast), whole[start : start + round(16000 * fast.duration_s)])
    assert fast.duration_s == pytest.approx(1 / 1.1, abs=1e-4)
    assert len(audio.load(found["resampled"])) == 16000
    assert found["resampled"].words[0].start_s == pytest.approx(0.1)


def test_what_is_no_plain_audio_is_counted(tmp_path, manifests):
    cuts = CutSet.from_manifests(*manifests).trim_to_supervisions(keep_overlapping=False).to_eager()
    good, other, last = cuts
    entries = [good.to_dict(), good.pad(duration=3).with_id("padded").to_dict(), other.to_dict(), last.to_dict()]
    entries[2]["recording"]["sources"][0].update(type="command", source="touch made")
    entries[3]["supervisions"][0].pop("speaker")
    (tmp_path / "cuts.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    corpus = open_corpus(f"lhotse:{tmp_path}/cuts.jsonl")
    assert [u.name for u in corpus.utterances] == [good.id]
    reasons = {names[0]: reason for reason, names in corpus.skipped.items()}
    assert "mixed or padded" in reasons["padded"]
    assert "no command of a manifest is run" in reasons[other.id]
    assert "without a speaker" in reasons[last.id]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "line 0: not JSON|line 1: not JSON"),
        ('{"id": "a"}\n[1]', "not JSON"),
        ('{"type": "MonoCut"}', r"line 1: not a cut of lhotse \(no 'id'\)"),
        ('{"id": "a", "sources": []}', "name its supervisions"),
        ('{"id": "a", "type": "MonoCut", "recording": {"id": "r"}, "start": "x", "duration": 1, "supervisions": [{}]}',
         "not a cut of lhotse"),
        ("", "the corpus is empty"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_one_line(tmp_path, content, message):
    with gzip.open(tmp_path / "cuts.jsonl.gz", "wt") as file:
        file.write(content)
    with pytest.raises(UserError, match=message) as caught:
        open_corpus(f"lhotse:{tmp_path}/cuts.jsonl.gz")
    assert "\n" not in str(caught.value)


def test_manifests_that_are_missing(tmp_path, manifests):
    with pytest.raises(UserError, match="no such file"):
        open_corpus(f"lhotse:{tmp_path}/gone.jsonl.gz")
    with pytest.raises(UserError, match="no such file"):
        open_corpus(f"lhotse:{tmp_path}/x_recordings_all.jsonl.gz?supervisions={tmp_path}/gone.jsonl.gz")
    (tmp_path / "y_recordings.jsonl").write_text("")
    with pytest.raises(UserError, match=r"one manifest.*x_recordings_all\.jsonl\.gz, y_recordings\.jsonl"):
        open_corpus(f"lhotse:{tmp_path}")
    (tmp_path / "cuts.yaml").write_text("")
    with pytest.raises(UserError, match=r"give a manifest as \.jsonl\.gz"):
        open_corpus(f"lhotse:{tmp_path}/cuts.yaml")
