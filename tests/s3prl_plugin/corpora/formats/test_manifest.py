"""The manifest reader: the TIMIT sample against a plain reading, hand-written faults, one line each."""

import csv
from collections import Counter

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora import audio, summary
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.formats import manifest
from s3prl_plugin.corpora.readers import alignment
from s3prl_plugin.errors import UserError


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_the_timit_sample_is_read_as_it_stands(timit_sample):
    corpus = manifest.read(timit_sample, phone_set="as_is")
    assert corpus.kind == "real"
    assert not corpus.skipped
    assert corpus.silence == {"h#", "pau", "epi"}
    utterances = {u.name: u for u in corpus.utterances}
    assert [u.name for u in corpus.utterances] == sorted(utterances)
    table = rows(timit_sample / "utterances.tsv")
    assert len(table) == len(utterances) == 160
    for row in table:
        utterance = utterances[row["utt"]]
        assert utterance.speaker == row["speaker"]
        assert utterance.sentence == row["sentence"]
        assert utterance.duration_s * 16000 == pytest.approx(int(row["num_samples"]))
        assert len(audio.load(utterance)) == int(row["num_samples"])
    for name in ("phones", "words"):
        wanted = Counter(
            (r["utt"], r["label"], int(r["start_sample"]), int(r["end_sample"]))
            for r in rows(timit_sample / f"{name}.tsv")
        )
        found = Counter(
            (u.name, s.label, round(s.start_s * 16000), round(s.end_s * 16000))
            for u in corpus.utterances
            for s in getattr(u, name)
        )
        assert found == wanted


def test_the_timit_sample_is_folded_by_default(timit_sample):
    corpus = manifest.read(timit_sample)
    counts = Counter(s.label for u in corpus.utterances for s in u.phones if s.label not in corpus.silence)
    assert corpus.silence == {"sil"}
    assert counts.total() == 4815
    assert len(counts) == 38
    assert any("39-label set" in note for note in corpus.notes)


def test_the_timit_sample_in_48_classes(timit_sample):
    corpus = manifest.read(timit_sample, phone_set="48")
    assert corpus.silence == {"sil", "epi"}
    assert len({s.label for u in corpus.utterances for s in u.phones}) == 48


def test_a_small_manifest(write_manifest):
    corpus = manifest.read(write_manifest("ab", phones=[("a", "x", 0.2, 0.4), ("a", "sil", 0, 0.2)]))
    a, b = corpus.utterances
    assert (a.name, a.speaker, a.duration_s, a.sentence) == ("a", "speaker_a", 1.0, None)
    assert a.phones == (Segment("sil", 0.0, 0.2), Segment("x", 0.2, 0.4))
    assert b.phones == b.words == ()
    assert corpus.silence == {"sil"}
    assert corpus.name == a.audio.parent.name


def test_times_may_be_sample_numbers(write_manifest):
    folder = write_manifest("a")
    (folder / "phones.tsv").write_text("utt\tstart_sample\tend_sample\tlabel\na\t1600\t4800\tx\n")
    assert manifest.read(folder).utterances[0].phones == (Segment("x", 0.1, 0.3),)


def test_texts_that_are_the_same_share_a_sentence(write_manifest):
    folder = write_manifest("abc")
    (folder / "utterances.tsv").write_text(
        "utt\taudio\tspeaker\ttranscript\tsentence\n"
        'a\ta.wav\ts\t"Don\'t" ask -- me.\t\n'
        "b\tb.wav\ts\tdon’t ask me\t\n"
        "c\tc.wav\ts\tdon't ask me\tsx12\n"
    )
    a, b, c = manifest.read(folder).utterances
    assert a.sentence == b.sentence == "don't ask me"
    assert c.sentence == "sx12"


def test_sessions_are_optional(write_manifest):
    folder = write_manifest("abc")
    assert {u.session for u in manifest.read(folder).utterances} == {None}
    (folder / "utterances.tsv").write_text(
        "utt\taudio\tspeaker\tsession\na\ta.wav\ts\tmonday\nb\tb.wav\ts\tmonday\nc\tc.wav\ts\t\n"
    )
    corpus = manifest.read(folder)
    assert [u.session for u in corpus.utterances] == ["monday", "monday", None]
    assert "  sessions: 1" in summary.text(corpus)
    assert summary.report(corpus)["sessions"] == 1


def test_byte_order_mark_and_windows_line_ends(write_manifest):
    folder = write_manifest("a")
    table = folder / "utterances.tsv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    assert [u.name for u in manifest.read(folder).utterances] == ["a"]


def test_kind_and_name_come_from_corpus_yaml(write_manifest):
    folder = write_manifest("a")
    (folder / "corpus.yaml").write_text("name: mine\nkind: generated\nnote: read this\n")
    corpus = manifest.read(folder)
    assert (corpus.name, corpus.kind, corpus.notes) == ("mine", "generated", ("read this",))


@pytest.mark.parametrize(
    ("phones", "reason"),
    [
        ([("b", "x", 0.1, 0.3), ("b", "y", 0.2, 0.4)], alignment.OVERLAP),
        ([("b", "x", 0.3, 0.2)], alignment.NO_SPAN),
        ([("b", "x", 0.9, 1.5)], alignment.PAST_END),
        ([("c", "x", 0.1, 0.2)], "named in phones.tsv but not in utterances.tsv"),
    ],
)
def test_a_bad_alignment_among_good_ones_is_a_counted_skip(write_manifest, phones, reason):
    corpus = manifest.read(write_manifest("ab", phones))
    bad = phones[0][0]
    assert corpus.skipped == {reason: (bad,)}
    assert [u.name for u in corpus.utterances] == [u for u in "ab" if u != bad]


def test_overlapping_words_are_kept(write_manifest):
    corpus = manifest.read(write_manifest("a", words=[("a", "had", 0.1, 0.3), ("a", "your", 0.25, 0.5)]))
    assert [w.label for w in corpus.utterances[0].words] == ["had", "your"]


def test_bad_audio_among_good_is_counted_by_reason(write_manifest, write_audio):
    folder = write_manifest("abcdefg")
    write_audio(folder / "b.wav", 399)
    write_audio(folder / "c.wav", channels=2)
    (folder / "d.wav").write_text("no audio")
    (folder / "e.wav").unlink()
    write_audio(folder / "f.wav", 30 * 16)
    write_audio(folder / "g.wav", 22050, rate=22050)
    corpus = manifest.read(folder)
    assert [u.name for u in corpus.utterances] == ["a", "f", "g"]
    assert corpus.skipped == {
        audio.SHORT: ("b",),
        audio.STEREO: ("c",),
        audio.UNREADABLE: ("d",),
        "audio missing": ("e",),
    }
    assert corpus.notes == ("1 files resampled from 22050 Hz to 16 kHz",)
    assert corpus.utterances[2].duration_s == 1.0


def test_a_named_channel_makes_stereo_usable(write_manifest, write_audio):
    folder = write_manifest("a")
    write_audio(folder / "a.wav", channels=2)
    (utterance,) = manifest.read(folder, channel=1).utterances
    assert np.array_equal(audio.load(utterance), soundfile.read(folder / "a.wav", dtype="float32")[0][:, 1])


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        ("utterances.tsv", None, r"no utterances\.tsv that names them"),
        ("utterances.tsv", "", r"utterances\.tsv, line 1: no header row"),
        ("utterances.tsv", "utt\taudio\tspeaker\n", r"the corpus is empty"),
        ("utterances.tsv", "utt\taudio\tspeakr\na\ta.wav\ts\n", r"line 1: no column 'speaker'.*'speakr'"),
        ("utterances.tsv", "utt\taudio\tspeaker\na\ta.wav\n", r"line 2: 2 cells under 3 columns"),
        ("utterances.tsv", "utt\taudio\tspeaker\na\ta.wav\t\n", r"line 2: speaker is empty"),
        ("utterances.tsv", "utt\taudio\tspeaker\na\ta.wav\ts\na\tb.wav\ts\n", r"line 3: 'a' is there already"),
        ("utterances.tsv", "utt\taudio\taudio\tspeaker\na\ta.wav\ta.wav\ts\n", r"two columns are called 'audio'"),
        ("phones.tsv", "utt\tlabel\tstart_s\na\tx\t0\n", r"phones\.tsv, line 1: no columns start_s and end_s"),
        ("phones.tsv", "utt\tlabel\tstart_s\tend_s\na\tx\t0\tone\n", r"phones\.tsv, line 2: end_s is 'one'"),
        ("words.tsv", "utt\tstart_s\tend_s\na\t0\t1\n", r"words\.tsv, line 1: no column 'label'"),
        ("corpus.yaml", "kind: reel\n", r"corpus\.yaml: kind: reel: did you mean 'real'"),
        ("corpus.yaml", "kind: [\n", r"corpus\.yaml: .*not valid YAML"),
        ("corpus.yaml", "- real\n", r"corpus\.yaml: not a mapping"),
    ],
)
def test_a_bad_table_is_one_line_that_names_it(write_manifest, table, content, message):
    folder = write_manifest("ab")
    (folder / table).unlink(missing_ok=True)
    if content is not None:
        (folder / table).write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        manifest.read(folder)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_utf_8(write_manifest):
    folder = write_manifest("a")
    (folder / "utterances.tsv").write_bytes("utt\taudio\tspeaker\na\ta.wav\tJosé\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"utterances\.tsv: not UTF-8"):
        manifest.read(folder)


def test_nothing_usable_names_the_first_fault(write_manifest, write_audio):
    folder = write_manifest("ab")
    for utt in "ab":
        write_audio(folder / f"{utt}.wav", 100)
    with pytest.raises(
        UserError, match=r"none of its 2 utterances can be used; the first: a: .*a\.wav: shorter than 400"
    ):
        manifest.read(folder)


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        manifest.read(tmp_path / "gone")


def test_folding_is_refused_for_other_labels(write_manifest):
    folder = write_manifest("a", phones=[("a", "ʃ", 0, 1)])
    with pytest.raises(UserError, match=r"phones\.tsv: 'ʃ' is not one of TIMIT's 61"):
        manifest.read(folder, phone_set="39")
