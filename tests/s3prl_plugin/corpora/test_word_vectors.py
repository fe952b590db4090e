import gzip
import tracemalloc

import numpy as np
import pytest

from s3prl_plugin.corpora import word_vectors
from s3prl_plugin.errors import UserError

VECTORS = {"the": [0.25, -1.5, 3e-2], "cat": [1.0, 2.0, -3.0], "sat": [0.0, 0.5, 7.0]}


def text(header=False, separator=" ", end="\n"):
    lines = [separator.join([word, *map(str, vector)]) for word, vector in VECTORS.items()]
    return end.join([*(["3 3"] if header else []), *lines, ""])


FORMATS = {
    "glove": text(),
    "word2vec": text(header=True, end=" \n"),  # the original tool ends every line with a space
    "tsv": text(separator="\t"),
    "windows": text(end="\r\n"),
    "no_last_line_break": text().rstrip("\n"),
    "blank_lines": "\n" + text().replace("\n", "\n\n"),
    "words_with_spaces": ". . . 9 9 9\n".join([text(), "at name@domain.com 9 9 9\n"]),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_vectors(name, packed, tmp_path):
    path = tmp_path / "table"
    content = FORMATS[name].encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    table = word_vectors.read(path, ["cat", "the", "dog"])
    assert table.dim == 3
    assert table.vectors.keys() == {"cat", "the"}
    for word, vector in table.vectors.items():
        np.testing.assert_array_equal(vector, VECTORS[word])
    assert not table.in_lower_case


def test_values_of_a_tsv_may_stand_in_one_cell(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("the\t1 2 3\ncat\t4 5 6\n")
    np.testing.assert_array_equal(word_vectors.read(path, ["cat"]).vectors["cat"], [4, 5, 6])


def test_folded_words_are_found(tmp_path):
    (tmp_path / "v.txt").write_text("λόγος 1\nstraße 2\n", encoding="utf-8")
    found = word_vectors.read(tmp_path / "v.txt", {"λόγος".casefold(), "straße".casefold()})
    assert {word: v.tolist() for word, v in found.vectors.items()} == {"λόγοσ": [1], "strasse": [2]}


def test_words_are_matched_as_spelled_and_else_in_lower_case(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("Apple 1\nAPPLE 2\npolish 3\nPolish 4\napple 5\nZoé 6\nZOÉ 7\n")
    table = word_vectors.read(path, ["Apple", "POLISH", "aPPLE", "zoé", "pear"])
    assert {word: v.tolist() for word, v in table.vectors.items()} == {
        "Apple": [1],  # as it is spelled
        "POLISH": [3],  # the lower-case entry, though the table has others
        "aPPLE": [5],
        "zoé": [6],  # the first, where none is in lower case
    }
    assert table.in_lower_case == {"POLISH", "aPPLE", "zoé"}
    assert table.lines == 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("the 1 2 3\ncat 1 2\n", r"table, line 2: 2 values, where 3 are needed"),
        ("the 1 2 3\ncat 1 2 3 4\n", r"table, line 2: 4 values, where 3 are needed"),
        ("the 1 2 3\ndog 1 2\n", r"table, line 2: 2 values"),  # whether the word is wanted or not
        ("2 3\nthe 1 2\n", r"table, line 2: 2 values, where 3 are needed"),
        ("the\t1\t2\ncat\t1\n", r"table, line 2: 1 values, where 2 are needed"),
        ("the 1 2 3\ncat 1 two 3\n", r"table, line 2: 'two' is not a number"),
        ("the 1 2 3\ncat 1 nan 3\n", r"table, line 2: 'nan' is not a number"),
        ("word\tfirst\tsecond\nthe\t1\t2\n", r"table, line 1: 'first' is not a number; .* without a header row"),
        ("the 1 2\ncat 1 2\nthe 3 4\n", r"table, line 3: 'the' is on line 1 already; remove one"),
        ("the\t1\nthe\t1\n", r"table, line 2: 'the' is on line 1 already"),
        ("3 2\nthe 1 2\ncat 1 2\n", r"table: its first line promises 3 words and there are 2"),
        ("the\ncat\n", r"table, line 1: a word and no values"),
        ("5 0\n", r"table, line 1: vectors of 0 dimensions"),
        ("", r"table: no word vectors in it"),
        ("2 3\n", r"table: no word vectors in it"),
    ],
)
def test_bad_tables_are_named_with_file_and_line(content, message, tmp_path):
    path = tmp_path / "table"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as error:
        word_vectors.read(path, ["the", "cat"])
    assert "\n" not in str(error.value)


def test_files_that_are_cut_off_or_not_there(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.txt: no such file"):
        word_vectors.read(tmp_path / "nowhere.txt", ["the"])
    path = tmp_path / "table.gz"
    path.write_bytes(gzip.compress(text().encode() * 50)[:-20])
    with pytest.raises(UserError, match=r"table\.gz: cannot be read to its end"):
        word_vectors.read(path, ["nothing"])
    path.write_bytes(b"\x00\x93NUMPY\x01\x00" + np.random.default_rng(0).bytes(4000))
    with pytest.raises(UserError, match=r"table\.gz"):
        word_vectors.read(path, ["the"])


def test_only_the_words_asked_for_are_kept(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("".join(f"w{i} {i} {-i}\n" for i in range(5000)))
    table = word_vectors.read(path, [f"w{i}" for i in range(0, 5000, 1000)])
    assert table.lines == 5000
    assert {word: vector.tolist() for word, vector in table.vectors.items()} == {
        f"w{i}": [i, -i] for i in range(0, 5000, 1000)
    }


def test_a_bar_is_shown_for_large_tables_only(tmp_path, monkeypatch, capfd):
    path = tmp_path / "table.txt"
    path.write_text(text())
    word_vectors.read(path, ["the"])
    assert "table.txt" not in capfd.readouterr().err
    monkeypatch.setattr(word_vectors, "LARGE", 1)
    word_vectors.read(path, ["the"], progress=False)
    assert "table.txt" not in capfd.readouterr().err
    word_vectors.read(path, ["the"])
    assert "table.txt" in capfd.readouterr().err


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("start", ["", "the 1 2 3\n", "3 3\n"])
def test_a_line_longer_than_a_vector_is_refused_unread(tmp_path, monkeypatch, start, packed):
    monkeypatch.setattr(word_vectors, "MOST_DIMENSIONS", 100)
    content = (start + "cat " + "1 " * 500_000).encode()
    path = tmp_path / "table"
    path.write_bytes(gzip.compress(content) if packed else content)
    tracemalloc.start()
    with pytest.raises(UserError, match=rf"line {1 + bool(start)}: longer than \d+ bytes"):
        word_vectors.read(path, ["cat"])
    assert tracemalloc.get_traced_memory()[1] < 600_000
    tracemalloc.stop()


def test_as_many_dimensions_as_no_table_has_are_refused(tmp_path):
    (tmp_path / "table").write_text("3 1000000000000\nthe 1 2 3\n")
    with pytest.raises(UserError, match="line 1: vectors of 1000000000000 dimensions"):
        word_vectors.read(tmp_path / "table", ["the"])
