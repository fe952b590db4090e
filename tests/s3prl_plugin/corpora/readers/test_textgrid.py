"""TextGrids in each of Praat's text formats."""

import pytest

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.readers import textgrid
from s3prl_plugin.corpora.readers.textgrid import BadGrid, Grid

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
    assert textgrid.read(tmp_path / "a.TextGrid") == Grid(TIERS, 0.0, 1.5)


def test_letters_beyond_ascii(tmp_path):
    (tmp_path / "a.TextGrid").write_text(SHORT.replace("AH0", "ʃʷ"), encoding="utf-16")
    assert textgrid.read(tmp_path / "a.TextGrid").tiers["phones"][0].label == "ʃʷ"


def test_no_tiers(tmp_path):
    (tmp_path / "a.TextGrid").write_text('"ooTextFile"\n"TextGrid"\n0\n1\n<absent>\n')
    assert textgrid.read(tmp_path / "a.TextGrid") == Grid({}, 0.0, 1.0)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "not a TextGrid"),
        ("hello", "not a TextGrid"),
        ('"ooTextFile" "PitchTier" 0 1', "not a TextGrid"),
        (LONG[:400], "ends too early"),
        (SHORT.replace("0.5\n", '"half"\n', 1), "a text where a number should be"),
        (SHORT.replace('"TextTier"', '"FormantTier"'), "a kind of tier that TextGrids do not have"),
        (SHORT.replace("\n3\n", "\n3.5\n", 1), "a number of tiers or intervals that is none"),
        ('"Praat chronological TextGrid text file"\n0 1.5   ! Time domain.', "chronological.*save it as text"),
        (b"ooBinaryFile\x08TextGrid\0\0", "binary.*save it as text"),
        (SHORT.replace("AH0", "ä").encode("latin-1"), "neither UTF-8 nor UTF-16"),
        (SHORT.encode("utf-16-le"), "UTF-16 without a byte order mark"),
    ],
)
def test_what_is_broken_is_refused_with_its_cause(tmp_path, content, cause):
    (tmp_path / "a.TextGrid").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadGrid, match=cause):
        textgrid.read(tmp_path / "a.TextGrid")


def test_the_header_of_older_praat(tmp_path):
    old = SHORT.replace('"ooTextFile"', '"ooTextFile short"').replace('Object class = "TextGrid"', '"TextGrid"')
    (tmp_path / "a.TextGrid").write_text(old)
    assert textgrid.read(tmp_path / "a.TextGrid") == Grid(TIERS, 0.0, 1.5)
