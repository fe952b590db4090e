"""Lists of files and their units, as fairseq has them."""

import numpy as np
import pytest
import soundfile

from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data import sources, unit_files
from s3prl_plugin.pretraining.data.sources import open_speech
from s3prl_plugin.pretraining.data.unit_files import UtteranceUnits
from s3prl_plugin.pretraining.data.utterances import WITHOUT_UNITS, Cropping


@pytest.fixture
def labelled(tmp_path):
    """Three files of one second in two folders, with units of 50 Hz, as fairseq's scripts write them."""
    root = tmp_path / "audio"
    for name in ("x/one.wav", "x/two.wav", "y/three.wav"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, np.zeros(16000, np.int16), 16000)
    rows = "".join(f"{name}\t16000\n" for name in ("x/one.wav", "x/two.wav", "y/three.wav"))
    (tmp_path / "train.tsv").write_text(f"{root}\n{rows}")
    (tmp_path / "train.km").write_text(
        "".join(" ".join(str((i * 10 + t) % 7) for t in range(49)) + "\n" for i in range(3))
    )
    (tmp_path / "dict.km.txt").write_text("".join(f"{k} 1\n" for k in range(7)))
    return tmp_path


def units_of(speech):
    return {speech[i].name: speech[i].units[0].tolist() for i in range(len(speech))}


def test_a_list_with_its_units(labelled):
    speech = open_speech(labelled / "train.tsv", [labelled / "train.km"])
    assert speech.classes == (7,)
    assert units_of(speech) == {
        name: [(i * 10 + t) % 7 for t in range(49)] for i, name in enumerate(["x/one.wav", "x/two.wav", "y/three.wav"])
    }


def test_the_dictionary_numbers_the_units(labelled):
    (labelled / "dict.km.txt").write_text("".join(f"{k} 1\n" for k in (3, 0, 1, 2, 6, 5, 4)))
    numbers = {3: 0, 0: 1, 1: 2, 2: 3, 6: 4, 5: 5, 4: 6}
    found = units_of(open_speech(labelled / "train.tsv", [labelled / "train.km"]))
    assert found["x/one.wav"] == [numbers[t % 7] for t in range(49)]


def test_a_corpus_takes_units_file_by_file(labelled):
    corpus = labelled / "corpus"
    corpus.mkdir()
    rows = [("b", "../audio/x/two.wav"), ("a", "../audio/y/three.wav"), ("new", "../audio/new.wav")]
    soundfile.write(labelled / "audio/new.wav", np.zeros(16000, np.int16), 16000)
    table = "".join(f"{name}\t{path}\tsomeone\n" for name, path in rows)
    (corpus / "utterances.tsv").write_text(f"utt\taudio\tspeaker\n{table}")
    speech = open_speech(f"manifest:{corpus}", [labelled / "train.km"])
    found = units_of(speech)
    assert found == {"b": [(10 + t) % 7 for t in range(49)], "a": [(20 + t) % 7 for t in range(49)]}
    assert speech.skipped[WITHOUT_UNITS] == {"new"}


def test_a_corpus_without_units(labelled):
    speech = open_speech(labelled / "train.tsv")
    assert speech.classes == ()
    assert speech[0].units == ()


def test_units_of_10_ms_are_decimated_and_of_40_ms_repeated(labelled):
    fast = np.arange(98) % 5
    (labelled / "fast.mfcc").write_text("".join(" ".join(map(str, fast)) + "\n" for _ in range(3)))
    (labelled / "slow.low").write_text("".join(" ".join(map(str, range(24))) + "\n" for _ in range(3)))
    for name, classes in (("mfcc", 5), ("low", 24)):
        (labelled / f"dict.{name}.txt").write_text("".join(f"{k} 1\n" for k in range(classes)))
    files = [labelled / "fast.mfcc", labelled / "slow.low"]
    speech = open_speech(labelled / "train.tsv", files, label_rates=(100, 25), strides=(320,))
    fine, repeated = speech[0].units
    assert fine.tolist() == fast[::2].tolist()
    assert repeated.tolist() == np.arange(24).repeat(2).tolist()
    with pytest.raises(UserError, match="one must be a multiple of the other"):
        UtteranceUnits.gathered([np.zeros(80)], 5, 200).at_stride(320)


def test_what_is_written_is_read_again(labelled, tmp_path):
    utterances = sources.utterances_of(labelled / "train.tsv")
    sources.write_list(tmp_path / "again.tsv", utterances)
    assert (tmp_path / "again.tsv").read_text() == (labelled / "train.tsv").read_text()


@pytest.mark.parametrize(
    ("file", "line", "text", "message"),
    [
        ("train.km", 2, "1 2 3", r"train\.km, line 2: units for 0\.06 s and audio of 1\.00 s; check label_rate"),
        ("train.km", 3, " ".join(["1"] * 48 + ["9"]), r"train\.km, line 3: unit '9' is not in dict\.km\.txt"),
        ("train.km", 4, "1 2", r"train\.km, line 4: there are only 3 utterances"),
        ("dict.km.txt", 2, "0 1", r"dict\.km\.txt, line 2: '0 1': give each unit one line"),
        ("train.tsv", 3, "x/two.wav 16000", r"train\.tsv, line 3: .* a path, a tab and a number of samples"),
        ("train.tsv", 1, "x/two.wav\t16000", r"train\.tsv, line 1: give the folder"),
    ],
)
def test_a_fault_is_named_by_file_and_line(labelled, file, line, text, message):
    lines = (labelled / file).read_text().splitlines()
    lines[line - 1 : line] = [text]
    (labelled / file).write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=message):
        open_speech(labelled / "train.tsv", [labelled / "train.km"])


def test_too_few_lines_and_missing_files_are_refused(labelled):
    lines = (labelled / "train.km").read_text().splitlines()
    (labelled / "train.km").write_text("\n".join(lines[:2]) + "\n")
    with pytest.raises(UserError, match=r"train\.km: 2 lines for 3 utterances"):
        open_speech(labelled / "train.tsv", [labelled / "train.km"])
    with pytest.raises(UserError, match=r"valid\.km: no such file"):
        open_speech(labelled / "train.tsv", [labelled / "valid.km"])
    (labelled / "dict.km.txt").unlink()
    with pytest.raises(UserError, match=r"dict\.km\.txt: no such file; write a line for every unit"):
        open_speech(labelled / "train.tsv", [labelled / "train.km"])
    with pytest.raises(UserError, match="2 label rates or strides for 1 files of units"):
        open_speech(labelled / "train.tsv", [labelled / "train.km"], label_rates=(50, 25))
    with pytest.raises(UserError, match="divided by it must be whole"):
        open_speech(labelled / "train.tsv", [labelled / "train.km"], label_rates=(49.9,))


def test_units_are_kept_small():
    units = UtteranceUnits.gathered([np.arange(10), None, np.arange(5)], 500, 320)
    assert units.values.dtype == np.uint16
    assert [units.known(i) for i in range(3)] == [True, False, True]
    assert units.within(2, 320, 961).tolist() == [1, 2, 3, 4]
    assert unit_files.dictionary_path(unit_files.Path("a/valid.km")).as_posix() == "a/dict.km.txt"
    assert Cropping().kept(300_000) == 250_000
