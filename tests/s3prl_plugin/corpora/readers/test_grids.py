"""TextGrids as other tools write them, in manifest, LibriSpeech and CTM form; praatio writes and reads them, too."""

from pathlib import Path

import pytest
from praatio import textgrid as praatio
from praatio.data_classes.interval_tier import IntervalTier

from s3prl_plugin.corpora import open_corpus
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.readers import textgrid
from s3prl_plugin.corpora.summary import report
from s3prl_plugin.errors import UserError

PHONES = [("sil", 0, 0.3), ("AH0", 0.3, 0.5), ("B", 0.5, 0.7), ("", 0.7, 0.8), ("IY1", 0.8, 0.9), ("sil", 0.9, 1.0)]
WORDS = [("", 0, 0.3), ("abbey", 0.3, 0.7), ("", 0.7, 0.8), ("e", 0.8, 0.9), ("", 0.9, 1.0)]
SPOKEN = [Segment("AH", 0.3, 0.5), Segment("B", 0.5, 0.7), Segment("IY", 0.8, 0.9)]
SAID = (Segment("abbey", 0.3, 0.7), Segment("e", 0.8, 0.9))
LAYOUTS = {
    "aligner": [("words", WORDS), ("phones", PHONES)],
    "capitals and blanks": [("Words ", WORDS), (" Phones", PHONES)],
    "penn": [("phone", PHONES), ("word", WORDS)],
    "aligner with a speaker": [("ann - words", WORDS), ("ann - phones", PHONES)],
    "FAVE": [("Ann Lee - phone", PHONES), ("Ann Lee - word", WORDS)],
    "WebMAUS": [("ORT-MAU", WORDS), ("KAN-MAU", PHONES), ("MAU", PHONES)],
    "EMU": [("Utterance", WORDS[:1]), ("Word", WORDS), ("Phonetic", PHONES)],
    "SPPAS": [("TokensAlign", WORDS), ("PhonAlign", PHONES)],
}


def long_grid(tiers, end=1.0, shift=0.0):
    """Praat's long format."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", f"xmin = {shift} ", f"xmax = {shift + end} "]
    lines += ["tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for k, (name, segments) in enumerate(tiers, 1):
        lines += [f"    item [{k}]:", '        class = "IntervalTier" ', f'        name = "{name}" ']
        lines += [
            f"        xmin = {shift} ",
            f"        xmax = {shift + end} ",
            f"        intervals: size = {len(segments)} ",
        ]
        for j, (label, start, stop) in enumerate(segments, 1):
            lines += [f"        intervals [{j}]:", f"            xmin = {start + shift} "]
            lines += [f"            xmax = {stop + shift} ", f'            text = "{label}" ']
    return "\n".join(lines) + "\n"


def short_grid(tiers, end=1.0, header='File type = "ooTextFile"\nObject class = "TextGrid"\n'):
    """Praat's short format."""
    lines = [header, "0", str(end), "<exists>", str(len(tiers))]
    for name, segments in tiers:
        lines += ['"IntervalTier"', f'"{name}"', "0", str(end), str(len(segments))]
        lines += [f'{start}\n{stop}\n"{label}"' for label, start, stop in segments]
    return "\n".join(lines) + "\n"


def old_grid(tiers, end=1.0):
    """The short format with the header of older Praat, FAVE and the Penn aligner."""
    return short_grid(tiers, end, 'File type = "ooTextFile short"\n"TextGrid"\n')


FORMS = {"long": long_grid, "short": short_grid, "old": old_grid}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", FORMS)
def test_every_layout_is_read_as_praatio_reads_it(tmp_path, write_manifest, layout, form):
    folder = write_manifest("a")
    path = folder / "a.TextGrid"
    path.write_text(FORMS[form](LAYOUTS[layout]))
    theirs = praatio.openTextgrid(str(path), includeEmptyIntervals=True)
    ours = textgrid.read(path)
    named = {name.strip(): theirs.getTier(name) for name in theirs.tierNames}  # of the short format without blanks
    assert [name.strip() for name in ours.tiers] == list(named)
    for name, tier in ours.tiers.items():
        assert [(s.start_s, s.end_s, s.label) for s in tier] == [tuple(entry) for entry in named[name.strip()].entries]
    (utterance,) = open_corpus(folder).utterances
    assert [p for p in utterance.phones if p.label not in ("sil", "")] == SPOKEN
    assert utterance.words == SAID


@pytest.mark.parametrize("form", ["long_textgrid", "short_textgrid"])
def test_what_praatio_writes(tmp_path, write_manifest, form):
    folder = write_manifest("a")
    grid = praatio.Textgrid()
    for name, tier in LAYOUTS["aligner"]:
        grid.addTier(IntervalTier(name, [(start, end, label) for label, start, end in tier if label], 0, 1))
    grid.save(str(folder / "a.TextGrid"), format=form, includeBlankSpaces=True)
    assert open_corpus(folder).utterances[0].words == SAID


@pytest.mark.parametrize("suffix", ["textgrid", "TEXTGRID", "TextGrid"])
def test_the_suffix_in_any_case(write_manifest, suffix):
    folder = write_manifest("ab")
    (folder / f"a.{suffix}").write_text(long_grid(LAYOUTS["aligner"]))
    assert open_corpus(folder).utterances[0].words == SAID


def test_of_several_speakers_the_utterances_own(write_manifest):
    folder = write_manifest("ab")
    other = [("", 0, 0.5), ("no", 0.5, 1.0)]
    tiers = [("Speaker_A - words", WORDS), ("speaker_b - words", other), ("speaker_a - phones", PHONES)]
    for utt in "ab":
        (folder / f"{utt}.TextGrid").write_text(long_grid(tiers))
    corpus = open_corpus(folder)
    assert [[w.label for w in u.words] for u in corpus.utterances] == [["abbey", "e"], ["no"]]
    assert [len(u.phones) for u in corpus.utterances] == [len(PHONES), 0]
    assert any("2 TextGrids have tiers of several speakers" in note for note in corpus.notes)


def test_grids_without_a_known_tier_are_an_error_that_lists_them(write_manifest):
    folder = write_manifest("ab")
    for utt, tiers in (("a", [("annotation", WORDS)]), ("b", [("notes", PHONES), ("annotation", WORDS)])):
        (folder / f"{utt}.TextGrid").write_text(long_grid(tiers))
    with pytest.raises(UserError, match=r"none of its 2 TextGrids .*'annotation', 'notes'.*phones_tier=NAME") as caught:
        open_corpus(folder)
    assert "\n" not in str(caught.value)
    corpus = open_corpus(f"manifest:{folder}?words_tier=Annotation")
    assert [u.words for u in corpus.utterances] == [SAID, SAID]
    assert any("2 of 2 TextGrids have no tier of phones" in note for note in corpus.notes)
    assert len(open_corpus(folder, phones_tier="notes", words_tier="annotation").utterances[1].phones) == len(PHONES)
    with pytest.raises(UserError, match="has a tier 'nots' \\(phones_tier\\); the tiers there: 'annotation', 'notes'"):
        open_corpus(folder, phones_tier="nots", words_tier="annotation")


def test_a_table_for_one_kind_and_grids_without_the_other(write_manifest):
    folder = write_manifest("a", phones=[("a", "x", 0, 1)])
    (folder / "a.TextGrid").write_text(long_grid([("annotation", WORDS)]))
    corpus = open_corpus(folder)
    assert any("1 of 1 TextGrids have no tier of words" in note for note in corpus.notes)


@pytest.mark.parametrize("folders", ["", "speaker_{}", "deep/er"])
def test_grids_in_a_folder_of_their_own(write_manifest, tmp_path_factory, folders):
    folder, grids = write_manifest("ab"), tmp_path_factory.mktemp("aligned")
    for utt in "ab":
        path = grids / folders.format(utt) / f"{utt}.TextGrid"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(long_grid(LAYOUTS["aligner"]))
    (grids / "._a.TextGrid").write_bytes(b"\0\5\26\7")
    corpus = open_corpus(f"manifest:{folder}?alignments={grids}")
    assert [u.words for u in corpus.utterances] == [SAID, SAID]
    with pytest.raises(UserError, match="no such folder; give the one that holds the alignments"):
        open_corpus(folder, alignments=grids / "gone")


def test_grids_of_one_name_are_told_apart_by_the_speaker(write_manifest, tmp_path_factory):
    folder, grids = write_manifest("ab"), tmp_path_factory.mktemp("aligned")
    for speaker in ("speaker_a", "x"):
        (grids / speaker).mkdir()
        (grids / speaker / "a.TextGrid").write_text(long_grid([("words", WORDS if speaker == "x" else WORDS[:2])]))
        (grids / speaker / "b.TextGrid").write_text(long_grid([("words", WORDS)]))
    corpus = open_corpus(folder, alignments=grids)
    assert [u.words for u in corpus.utterances] == [SAID[:1]]
    ((reason, names),) = corpus.skipped.items()
    assert "several TextGrids of one name" in reason
    assert names == ("b",)


def test_labels_that_begin_late_are_moved(write_manifest):
    folder = write_manifest("a")
    (folder / "a.TextGrid").write_text(long_grid(LAYOUTS["aligner"], shift=12.5))
    corpus = open_corpus(folder)
    assert [w.label for w in corpus.utterances[0].words] == ["abbey", "e"]
    assert corpus.utterances[0].words[0].start_s == pytest.approx(0.3)
    assert any("do not begin at 0, and were moved" in note for note in corpus.notes)


def test_a_silence_past_the_end_and_one_without_length(write_manifest):
    folder = write_manifest("a")
    phones = [*PHONES[:3], ("sp", 0.7, 0.7), *PHONES[3:-1], ("sil", 0.9, 1.04)]
    (folder / "a.TextGrid").write_text(long_grid([("words", WORDS), ("phones", phones)], end=1.04))
    corpus = open_corpus(folder)
    assert corpus.utterances[0].phones[-1] == Segment("sil", 0.9, 1.0)
    assert "1 segments without a length were left out: sp 1" in corpus.notes


def in_three_forms(root: Path, write_audio) -> list[str]:
    """One corpus as a manifest with grids, as LibriSpeech with grids, and as a manifest with CTM."""
    names = ["1-2-0000", "1-2-0001", "3-4-0000"]
    for form in ("manifest", "ctm", "librispeech"):
        for name in names:
            speaker, chapter, _ = name.split("-")
            folder = root / form / (f"{speaker}/{chapter}" if form == "librispeech" else "")
            write_audio(folder / f"{name}.flac")
            if form != "ctm":
                (folder / f"{name}.TextGrid").write_text(long_grid(LAYOUTS["aligner with a speaker"]))
            if form == "librispeech":
                with (folder / f"{speaker}-{chapter}.trans.txt").open("a") as file:
                    file.write(f"{name} ABBEY E\n")
        if form != "librispeech":
            rows = "".join(f"{name}\t{name}.flac\t{name.split('-')[0]}\n" for name in names)
            (root / form / "utterances.tsv").write_text(f"utt\taudio\tspeaker\n{rows}")
    for kind, segments in (("phones", PHONES), ("words", WORDS)):
        rows = [f"{name} 1 {a} {b - a:.3f} {label or '<eps>'}\n" for name in names for label, a, b in segments]
        (root / "ctm" / f"{kind}.ctm").write_text("".join(rows))
    return [f"manifest:{root}/manifest", f"librispeech:{root}/librispeech", f"manifest:{root}/ctm"]


@pytest.mark.parametrize("options", [{}, {"stress": True}, {"silence": "+B"}, {"phone_set": "as_is"}])
def test_the_same_labels_in_every_form(tmp_path, write_audio, options):
    found = [report(open_corpus(spec, **options)) for spec in in_three_forms(tmp_path, write_audio)]
    for kind in ("phones", "words"):
        assert len({str(each[kind]) for each in found}) == 1
    assert found[0]["words"]["counts"] == {"abbey": 3, "e": 3}
    stressed = options.get("stress") or options.get("phone_set") == "as_is"
    vowels = {"AH0", "IY1"} if stressed else {"AH", "IY"}
    assert set(found[0]["phones"]["counts"]) == vowels | ({"B"} if "silence" not in options else set())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("channel=x", "channel='x': give a number from 0"),
        ("channel=-1", "channel='-1': give a number from 0"),
        ("alignments=5", "5: no such folder"),
        ("phones_tier=1", "has a tier '1'"),
        ("stress=yes", "stress='yes': give true or false"),
        ("silences=x", "did you mean 'silence'"),
    ],
)
def test_options_of_the_wrong_kind_are_told(write_manifest, option, message):
    folder = write_manifest("a")
    (folder / "a.TextGrid").write_text(long_grid(LAYOUTS["aligner"]))
    with pytest.raises(UserError, match=message):
        open_corpus(f"manifest:{folder}?{option}")
