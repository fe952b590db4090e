"""TextGrids in each of Praat's text formats."""

import pytest

from s3prl_plugin.corpora import textgrid
from s3prl_plugin.corpora.corpus import Segment

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 1.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.25e0
            text = "say ""3"" = <x>"
        intervals [3]:
            xmin = 1.25
            xmax = 1.5
            text = "two
lines"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 1.5
        points: size = 1
        points [1]:
            number = 0.75
            mark = "click"
    item [3]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 1.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 1.5
            text = "AH0"
""".replace("\n", " \n").replace("two \n", "two\n")  # Praat ends its lines with a blank
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
1.5
<exists>
3
"IntervalTier"
"words"
0
1.5
3
0
0.5
""
0.5
1.25
"say ""3"" = <x>"
1.25
1.5
"two
lines"
"TextTier"
"clicks"
0
1.5
1
0.75 ! a comment 12
"click"
"IntervalTier" "phones" 0 1.5 1 0 1.5 "AH0"
"""
TIERS = {
    "words": [Segment("", 0.0, 0.5), Segment('say "3" = <x>', 0.5, 1.25), Segment("two\nlines", 1.25, 1.5)],
    "phones": [Segment("AH0", 0.0, 1.5)],
}


@pytest.mark.parametrize("content", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_formats_and_encodings(tmp_path, content, encoding):
    (tmp_path / "a.TextGrid").write_text(content, encoding=encoding)
    assert textgrid.read(tmp_path / "a.TextGrid") == TIERS


def test_letters_beyond_ascii(tmp_path):
    (tmp_path / "a.TextGrid").write_text(SHORT.replace("AH0", "ʃʷ"), encoding="utf-16")
    assert textgrid.read(tmp_path / "a.TextGrid")["phones"][0].label == "ʃʷ"


def test_no_tiers(tmp_path):
    (tmp_path / "a.TextGrid").write_text('"ooTextFile"\n"TextGrid"\n0\n1\n<absent>\n')
    assert textgrid.read(tmp_path / "a.TextGrid") == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "ends too early"),
        ("hello", "ends too early"),
        ('"ooTextFile" "PitchTier" 0 1', "not a TextGrid"),
        (LONG[:400], "ends too early"),
        (SHORT.replace("0.5\n", '"half"\n', 1), "'half' where a number should be"),
        (SHORT.replace('"TextTier"', '"FormantTier"'), "'FormantTier' is not a kind of tier"),
    ],
)
def test_what_is_broken_is_refused(tmp_path, content, message):
    (tmp_path / "a.TextGrid").write_text(content)
    with pytest.raises(ValueError, match=message):
        textgrid.read(tmp_path / "a.TextGrid")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a.TextGrid").write_bytes(b"\xc3\x28" * 30)
    with pytest.raises(ValueError, match="decode"):
        textgrid.read(tmp_path / "a.TextGrid")
