"""Generated speech: its labels against its audio, and the same bits every time."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
import yaml

from s3prl_plugin.corpora import audio, open_corpus
from s3prl_plugin.corpora.formats import generated
from s3prl_plugin.corpora.generated import speaking, synthesis
from s3prl_plugin.corpora.generated.recipe import Recipe, lines
from s3prl_plugin.errors import UserError

pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The default corpus."""
    return generated.read(folder=tmp_path_factory.mktemp("generated") / "default")


@pytest.fixture(scope="module")
def waveforms(corpus):
    return {u.name: audio.load(u) for u in corpus.utterances}


def samples_of(segment):
    return slice(round(segment.start_s * 16000), round(segment.end_s * 16000))


def test_it_is_a_manifest_that_says_what_it_is(corpus):
    assert corpus.kind == "generated"
    assert not corpus.skipped
    assert corpus.silence == {"sil"}
    assert any("never for a finding about speech" in note for note in corpus.notes)
    about = yaml.safe_load((corpus.utterances[0].audio.parents[1] / "corpus.yaml").read_text())
    assert about["recipe"]["voices"] == 12
    assert about["espeak_ng"][0].isdigit()


def test_it_is_large_enough_for_every_measure(corpus):
    assert set(corpus.speakers.values()) == {25}
    assert len(corpus.speakers) == 12
    phones = Counter(p.label for u in corpus.utterances for p in u.phones if p.label not in corpus.silence)
    # n/d for d = 96, with at most 200 tokens of a phone and 15 of a word, and 7 of 8 folds to train
    assert sum(min(n, 200) for n in phones.values()) * 7 / 8 / 96 > 5
    speakers, words = defaultdict(set), Counter()
    for utterance in corpus.utterances:
        for word in utterance.words:
            words[word.label] += 1
            speakers[word.label].add(utterance.speaker)
    assert sum(n >= 15 and len(speakers[w]) == 12 for w, n in words.items()) >= 60
    assert sum(min(n, 15) for n in words.values()) * 7 / 8 / 96 > 5
    for label in phones:
        spread = Counter(u.speaker for u in corpus.utterances for p in u.phones if p.label == label)
        assert sum(n >= 2 for n in spread.values()) >= 8, label


def test_phones_tile_the_audio(corpus, waveforms):
    for utterance in corpus.utterances:
        edges = [(samples_of(p).start, samples_of(p).stop) for p in utterance.phones]
        assert edges[0][0] == 0
        assert abs(edges[-1][1] - len(waveforms[utterance.name])) <= 1
        assert all(a[1] == b[0] for a, b in pairwise(edges))
        assert all(p.end_s - p.start_s > 0.02 for p in utterance.phones if p.label != "sil")


def test_words_are_the_text_and_the_span_of_their_phones(corpus):
    for utterance in corpus.utterances:
        assert " ".join(word.label for word in utterance.words) == utterance.sentence
        spoken = [p for p in utterance.phones if p.label != "sil"]
        starts, ends = {p.start_s for p in spoken}, {p.end_s for p in spoken}
        for word in utterance.words:
            assert word.start_s in starts
            assert word.end_s in ends
        assert all(a.end_s <= b.start_s for a, b in pairwise(utterance.words))
        inside = sum(any(w.start_s <= p.start_s and p.end_s <= w.end_s for w in utterance.words) for p in spoken)
        assert inside == len(spoken)


def test_labels_fit_the_sound(corpus, waveforms):
    levels = defaultdict(list)
    crossings = defaultdict(list)
    for utterance in corpus.utterances:
        for phone in utterance.phones:
            x = waveforms[utterance.name][samples_of(phone)]
            levels[phone.label].append(np.sqrt(np.mean(x**2)))
            crossings[phone.label].append(np.mean(np.abs(np.diff(np.sign(x)))) / 2)
    level = {label: np.median(values) for label, values in levels.items()}
    vowels = ("ɪ", "ɛ", "æ", "ʌ", "ɑː", "iː", "uː", "eɪ", "aɪ", "oʊ", "ə")
    # 12 ms of silence at a boundary; resampling rings into it, speech would not
    assert np.percentile(levels["sil"], 99) < 0.005
    assert min(level[v] for v in vowels) > 3 * max(level[c] for c in ("s", "f", "θ", "p", "t", "k"))
    assert min(np.percentile(crossings[c], 5) for c in ("s", "ʃ")) > max(
        np.percentile(crossings[v], 95) for v in vowels
    )


def test_unvoiced_stops_begin_with_silence(corpus, waveforms):
    quiet = []
    for utterance in corpus.utterances:
        for phone in utterance.phones[1:]:
            if phone.label in ("p", "t", "k"):
                x = waveforms[utterance.name][samples_of(phone)]
                quiet.append(np.abs(x[: len(x) // 4]).max() < 0.01)
    assert np.mean(quiet) > 0.8


def test_voices_are_distinct(corpus, waveforms):
    # Nearest centroid of long-term log spectra, fitted on half of the sentences.
    def spectrum(x):
        frames = np.lib.stride_tricks.sliding_window_view(x, 512)[::256] * np.hanning(512)
        bands = (np.abs(np.fft.rfft(frames))[:, :256] ** 2).reshape(len(frames), 64, 4).sum(2)
        return np.log(bands + 1e-6).mean(0)

    features = {u.name: spectrum(waveforms[u.name]) for u in corpus.utterances}
    train, test = corpus.utterances[::2], corpus.utterances[1::2]
    centroids = {s: np.mean([features[u.name] for u in train if u.speaker == s], axis=0) for s in corpus.speakers}
    guess = {u: min(centroids, key=lambda s: np.sum((features[u.name] - centroids[s]) ** 2)) for u in test}
    assert np.mean([guess[u] == u.speaker for u in test]) > 0.9


def test_nothing_clips(waveforms):
    assert max(np.abs(x).max() for x in waveforms.values()) < 0.999
    assert min(np.abs(x).max() for x in waveforms.values()) > 0.2


def bits(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_bits_every_time(tmp_path):
    first = generated.generate(tmp_path / "1", voices=2, sentences=3, progress=False)
    second = generated.generate(tmp_path / "2", voices=2, sentences=3, progress=False)
    assert bits(first) == bits(second)
    assert len(bits(first)) == 2 * 3 + 4
    other = generated.generate(tmp_path / "3", voices=2, sentences=3, seed=1, progress=False)
    assert bits(other) != bits(first)


def test_the_same_bits_one_child_at_a_time_and_without_fork(tmp_path, monkeypatch):
    said = list(lines(Recipe(1, 2, 0)))
    folders = [tmp_path / "1", tmp_path / "2"]
    for folder in folders:
        folder.mkdir()
    speaking.speak_lines(said, {"name": "x"}, folders[0], progress=False)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr("s3prl_plugin.corpora.generated.fresh_process._forks_safely", lambda: False)
    synthesis.synthesise(said, {"name": "x"}, folders[1])
    assert bits(folders[0]) == bits(folders[1])


def test_it_is_made_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("S3PRL_PLUGIN_CACHE", str(tmp_path))
    first = generated.generate(voices=1, sentences=1, progress=False)
    assert first.parent == tmp_path / "generated"
    monkeypatch.setattr(generated, "speak_lines", lambda *a: pytest.fail("made again"))
    assert generated.generate(voices=1, sentences=1) == first
    assert len(open_corpus("generated", voices=1, sentences=1).utterances) == 1
    assert [p.name for p in (tmp_path / "generated").iterdir()] == [first.name]


def test_a_folder_with_something_else_is_refused(tmp_path):
    generated.generate(tmp_path / "1", voices=1, sentences=1, progress=False)
    assert generated.generate(tmp_path / "1", voices=1, sentences=1) == tmp_path / "1"
    with pytest.raises(UserError, match="generated with other settings"):
        generated.generate(tmp_path / "1", voices=1, sentences=2)
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "thesis.doc").touch()
    with pytest.raises(UserError, match="not empty, and not generated speech"):
        generated.generate(tmp_path / "2")


def test_without_espeak_the_install_command_is_told(tmp_path, monkeypatch):
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "espeakng_loader.py").write_text("raise ImportError('not installed')")
    monkeypatch.setenv("PYTHONPATH", str(fake))
    with pytest.raises(UserError, match=r"pip install 's3prl-plugin\[demo\]'"):
        generated.generate(tmp_path / "out", voices=1, sentences=1, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["fake"]

    def missing(name):
        raise generated.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(generated.importlib.metadata, "version", missing)
    with pytest.raises(UserError, match=r"pip install 's3prl-plugin\[demo\]'"):
        generated.generate(voices=1, sentences=1)
