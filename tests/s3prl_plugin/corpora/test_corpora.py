"""Opening a corpus by a word, and what a corpus says of itself."""

import json
import subprocess
import sys

import pytest

from s3prl_plugin import registry
from s3prl_plugin.corpora import open_corpus, report
from s3prl_plugin.corpora.corpus import Corpus, Utterance
from s3prl_plugin.corpora.skips import Skips, lines
from s3prl_plugin.corpora.summary import text
from s3prl_plugin.errors import UserError


def test_a_manifest_by_its_format_and_by_its_path_alone(write_manifest):
    folder = write_manifest("ab")
    assert open_corpus(f"manifest:{folder}") == open_corpus(str(folder)) == open_corpus(folder)


def test_timit_is_told_by_its_files(tmp_path, write_audio):
    write_audio(tmp_path / "train/dr1/fcjf0/sa1.wav")
    (tmp_path / "train/dr1/fcjf0/sa1.phn").write_text("0 16000 h#\n")
    assert open_corpus(tmp_path).name == "timit"


def test_options_reach_the_reader(timit_sample):
    labels = {p.label for u in open_corpus(f"manifest:{timit_sample}", phone_set="48").utterances for p in u.phones}
    assert "vcl" in labels


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("manifst:/x", r"'manifst' is not a corpus format; did you mean 'manifest'"),
        ("generted", r"did you mean 'generated'"),
        ("manifest:", r"no path; write manifest:PATH"),
        ("generated:x", r"takes no path"),
        ("/no/such/folder", r"no such folder"),
        ("timit:/no/such/folder", r"/no/such/folder: no such folder"),
    ],
)
def test_a_wrong_spec_is_one_line(spec, message):
    with pytest.raises(UserError, match=message) as caught:
        open_corpus(spec)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_corpus(tmp_path):
    with pytest.raises(UserError, match="no corpus of a known format"):
        open_corpus(tmp_path)


def test_an_unknown_option(tmp_path):
    with pytest.raises(UserError, match=r"'manifest' has no option 'phoneset': did you mean 'phone_set'"):
        open_corpus(f"manifest:{tmp_path}", phoneset="39")


def test_opening_imports_what_it_needs_and_no_more():
    heavy = ("torch", "numpy", "soundfile", "s3prl")
    code = f"import sys, s3prl_plugin.corpora; print(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_reader_is_there():
    for name in registry.corpora():
        assert callable(registry.reader(name))


def test_skips_count_names_once():
    skips = Skips({"short": ["a"]})
    skips.add("short", "a")
    skips.add("short", "b")
    skips.merge({"stereo": ("b", "c")})
    assert skips.as_dict() == {"short": ["a", "b"], "stereo": ["b", "c"]}
    assert skips.total == 3


def test_skips_are_shown_most_frequent_first():
    assert lines({"stereo": ["z"], "short": "abcd"}) == ["skipped 4: short (a, b, c, ...)", "skipped 1: stereo (z)"]


def test_a_run_leaves_out_what_it_could_not_load(tmp_path):
    corpus = Corpus(
        name="c",
        kind="real",
        utterances=tuple(Utterance(name, "s", tmp_path, 1.0) for name in "abc"),
        skipped={"short": ("x",)},
    )
    less = corpus.without(Skips({"NaN": ["b"], "short": ["c"]}))
    assert [u.name for u in less.utterances] == ["a"]
    assert less.skipped == {"NaN": ("b",), "short": ("c", "x")}
    assert less.duration_s == 1.0
    assert [u.name for u in corpus.utterances] == ["a", "b", "c"]


def test_the_report_counts_what_is_there(timit_sample):
    found = report(open_corpus(timit_sample))
    json.dumps(found)
    assert (found["utterances"], found["speakers"], found["sentences"]) == (160, 16, 130)
    assert found["sentences_said_more_than_once"] == 2
    assert found["duration_s"] == pytest.approx(490.1, abs=0.1)
    assert (found["phones"]["tokens"], found["phones"]["types"]) == (4815, 38)
    assert found["words"]["tokens"] == 1394
    assert sum(n >= 16 for n in found["words"]["counts"].values()) == 24
    assert next(iter(found["phones"]["counts"].items())) == ("ih", 478)
    assert found["utterances_per_speaker"] == {"min": 10, "median": 10, "max": 10}


def test_the_report_shows_what_is_broken(write_manifest, write_audio):
    folder = write_manifest("abc", phones=[("a", "x", 0, 0.5), ("a", "", 0.5, 1), ("c", "x", 0, 2)])
    corpus = open_corpus(folder)
    found = report(corpus)
    assert found["skipped"] == {"alignment past the end of its audio": ["c"]}
    assert found["without_phones"] == 1
    said = text(corpus)
    assert "skipped 1: alignment past the end of its audio (c)" in said
    assert "1 utterances without phones" in said
    assert "(empty) 1" in said
    assert "words: none" in said
