"""PR's corpus: phones from lexicons and from alignments, read by s3prl's own encoder."""

import pytest

from s3prl_plugin import config
from s3prl_plugin.errors import UserError
from s3prl_plugin.superb.ctc_corpora.libriphone import LibriPhoneDataset, read_phones

OWN = config.packaged("configs", "superb", "tasks.yaml").parent
pytest.importorskip("editdistance")


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text("GO\tG OW1\nDO\tD UW1\nDO\tD OW1\n")
    return path


@pytest.fixture
def plain(encoder):
    return encoder("word", OWN / "phones.txt")


def said(dataset, tokenizer):
    return {path.stem[-1]: tokenizer.decode(labels).split() for path, labels in dataset.utterances}


def test_the_first_pronunciation_counts_and_stress_goes_where_the_vocabulary_has_none(libri, lexicon, plain, encoder):
    dataset = LibriPhoneDataset(["dev-clean"], plain, 1, str(libri), lexicon=[str(lexicon)])
    assert said(dataset, plain) == {
        "0": ["G", "OW", "D", "UW"],
        "1": ["D", "UW"],
        "2": ["G", "OW", "D", "UW", "G", "OW"],
    }
    assert all(labels[-1] == plain.eos_idx for _, labels in dataset.utterances)
    assert plain.vocab_size == 3 + 39
    stressed = encoder("word", OWN / "phones_stress.txt")
    dataset = LibriPhoneDataset(["dev-clean"], stressed, 1, str(libri), lexicon=str(lexicon))
    assert said(dataset, stressed)["0"] == ["G", "OW1", "D", "UW1"]


def test_of_two_lexicons_the_first_that_has_the_word_counts(libri, lexicon, plain, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("DO B IY0\n\n")
    dataset = LibriPhoneDataset(["dev-clean"], plain, 1, str(libri), lexicon=[str(other), str(lexicon)])
    assert said(dataset, plain)["1"] == ["B", "IY"]


def test_phones_can_come_from_alignments(libri, plain, tmp_path):
    phones = tmp_path / "phones.txt"
    phones.write_text("84-121123-0000 G OW\n84-121123-0001 D\n84-121123-0002 UW D OW\n")
    dataset = LibriPhoneDataset(["dev-clean"], plain, 1, str(libri), phones=str(phones))
    assert said(dataset, plain) == {"0": ["G", "OW"], "1": ["D"], "2": ["UW", "D", "OW"]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("GO G OW1", r"84-121123-0000\.flac: no phones for 'DO' in .*lexicon\.txt"),
        ("GO G OW1\nDO D QQ1", "the vocabulary has no phone 'QQ'"),
        ("GO", r"lexicon\.txt, line 1: GO has no phones"),
    ],
)
def test_what_a_lexicon_lacks_is_named(libri, lexicon, plain, line, message):
    lexicon.write_text(line + "\n")
    with pytest.raises(UserError, match=message):
        LibriPhoneDataset(["dev-clean"], plain, 1, str(libri), lexicon=[str(lexicon)])


def test_missing_files_are_named(libri, lexicon, plain, tmp_path):
    def read(split="dev-clean", path=libri, **phones):
        return LibriPhoneDataset([split], plain, 1, str(path), **(phones or {"lexicon": [str(lexicon)]}))

    with pytest.raises(UserError, match="dev-other: no such folder"):
        read("dev-other")
    with pytest.raises(UserError, match=r"none\.txt: no such file"):
        read(lexicon=["none.txt"])
    with pytest.raises(UserError, match="not both"):
        read(lexicon=None)
    with pytest.raises(UserError, match="not both"):
        read(lexicon=[str(lexicon)], phones=str(lexicon))
    with pytest.raises(UserError, match="has no line for 84-121123-0000"):
        read(phones=str(lexicon))
    next(libri.rglob("*.trans.txt")).unlink()
    with pytest.raises(UserError, match="has its transcript"):
        read()
    for file in libri.rglob("*.flac"):
        file.unlink()
    with pytest.raises(UserError, match="no FLAC files"):
        read()


def test_phones_of_a_name_that_comes_again_are_those_of_the_first_line(tmp_path):
    (tmp_path / "a").write_text("X A\nX B\n")
    assert read_phones([tmp_path / "a"]) == {"X": ["A"]}


def test_a_lexicon_without_stress_is_refused_for_the_phones_that_bear_it(libri, lexicon, plain, encoder):
    lexicon.write_text("GO G OW\nDO D UW1\n")
    with pytest.raises(UserError, match=r"OW bears no stress, and the vocabulary has OW0, OW1 and OW2.*or run PR39"):
        LibriPhoneDataset(["dev-clean"], encoder("word", OWN / "phones_stress.txt"), 1, str(libri), str(lexicon))
    LibriPhoneDataset(["dev-clean"], plain, 1, str(libri), str(lexicon))
