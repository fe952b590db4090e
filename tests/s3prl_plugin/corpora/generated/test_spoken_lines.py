"""Lines that are spoken on request: every one of them, the same bits, once."""

import pytest

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.generated import spoken_lines
from s3prl_plugin.corpora.generated.espeak import Voice
from s3prl_plugin.corpora.generated.recipe import SpokenLine
from s3prl_plugin.errors import UserError

pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")
LINES = [
    SpokenLine(f"u{i}", "linda", "f", Voice("linda", rate=rate), "Good morning.") for i, rate in enumerate((120, 250))
]


def test_every_line_is_an_utterance_in_its_manner():
    corpus = spoken_lines.speak(LINES)
    assert corpus.kind == "generated"
    assert [u.name for u in corpus.utterances] == ["u0", "u1"]
    assert {u.sentence for u in corpus.utterances} == {"good morning"}
    assert corpus.utterances[0].duration_s > 1.5 * corpus.utterances[1].duration_s
    assert [word.label for word in corpus.utterances[0].words] == ["good", "morning"]


def test_the_same_lines_are_spoken_once_with_the_same_bits(tmp_path, monkeypatch):
    before = {u.name: audio.load(u).tobytes() for u in spoken_lines.speak(LINES).utterances}
    monkeypatch.setenv("S3PRL_PLUGIN_CACHE", str(tmp_path))
    again = spoken_lines.speak(LINES)
    assert {u.name: audio.load(u).tobytes() for u in again.utterances} == before
    monkeypatch.setattr(spoken_lines, "speak_lines", None)  # would fail if it were called
    assert spoken_lines.speak(LINES).utterances == again.utterances
    assert len(list((tmp_path / "spoken").iterdir())) == 1


def test_an_unknown_voice_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("S3PRL_PLUGIN_CACHE", str(tmp_path))
    with pytest.raises((UserError, RuntimeError)):
        spoken_lines.speak([SpokenLine("u", "x", "f", Voice("nobody"), "hello")])
    assert not list((tmp_path / "spoken").iterdir())
