"""What is expected of a corpus is what a run over it says."""

import json
import math
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import planted
import pytest
import soundfile
import torch

from s3prl_plugin import corpora
from s3prl_plugin.analysis.measure import Foretells
from s3prl_plugin.commands import main, outlook
from s3prl_plugin.downstream.abx.expert import DownstreamExpert as Abx
from s3prl_plugin.downstream.boundaries.expert import DownstreamExpert as Boundaries
from s3prl_plugin.downstream.cca.expert import DownstreamExpert as Cca
from s3prl_plugin.downstream.mi.expert import DownstreamExpert as Mi
from s3prl_plugin.downstream.probe.expert import DownstreamExpert as Probe
from s3prl_plugin.downstream.words.expert import DownstreamExpert as Words
from s3prl_plugin.inference.refusal import EFFECTIVE_ROWS_GREY
from s3prl_plugin.states.taps import States, Tap


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A corpus with audio."""
    folder = tmp_path_factory.mktemp("audio")
    corpus = planted.corpus(speakers=8, per_speaker=3)
    utterances = tuple(replace(u, audio=folder / f"{u.name}.wav") for u in corpus.utterances)
    for u in utterances:
        soundfile.write(u.audio, planted.waveform(u).numpy(), 16000, subtype="FLOAT")
    return replace(corpus, utterances=utterances)


@pytest.fixture
def _corpus(spoken, monkeypatch):
    """It has the name manifest:here."""
    monkeypatch.setattr(corpora, "open_corpus", {"manifest:here": spoken}.__getitem__)


def of_noise(expert, measures, dim, folder):
    """The rows of an analysis of a layer that knows nothing."""
    tap = Tap(0, "layer", None, "layer", 320, dim)
    draw = torch.Generator().manual_seed(0)

    def states_of(waveforms):
        lengths = torch.tensor([len(wave) // 320 for wave in waveforms])
        return States(
            (tap,), [torch.randn(len(waveforms), int(lengths.max()), dim, generator=draw)], [lengths], waveforms
        )

    given = {"corpus": "manifest:here", "measures": list(measures), "intervals": "none"}
    made = expert(dim, 320, given, str(folder), (tap,), {"upstream": "noise"}, seed=1337)
    made.analyse(states_of, "w")
    return {row.measure: row for row in made.rows if row.headline}


@pytest.mark.usefixtures("_corpus")
@pytest.mark.parametrize("dim", [8, 40, 700])
def test_every_verdict_is_that_of_a_run(tmp_path, dim):
    told = {each.measure: each for each in outlook.look("manifest:here", dim).measures}
    expected = {name: each for name, each in told.items() if name.startswith(("cca_", "mi_"))}
    rows = of_noise(Cca, outlook.MEASURES["cca"], dim, tmp_path / "cca")
    rows |= of_noise(Mi, outlook.MEASURES["mi"], dim, tmp_path / "mi")
    assert expected.keys() == rows.keys()
    for name, row in rows.items():
        verdict = "refused" if row.refused else "grey" if row.grey else "fine"
        if name.startswith("mi_") and (row.chance is not None or "near chance" in row.refused):
            continue  # how uneven clusters will be is not known before
        if name.startswith("mi_"):
            assert expected[name].verdict == verdict, name
        severity = ("fine", "grey", "refused").index
        assert severity(expected[name].verdict) <= severity(verdict), (
            "what is promised at least is what a run is kept to"
        )
        if name.startswith("cca") and row.n_over_d is not None and not row.trivial:
            assert expected[name].rows == pytest.approx(row.n_over_d * dim), name
        if verdict != "fine" and name.startswith("mi_"):
            assert expected[name].reason == (row.refused or row.grey), name


@pytest.mark.usefixtures("_corpus")
def test_what_measures_tell_themselves_is_what_a_run_finds(tmp_path):
    told = {each.measure: each for each in outlook.look("manifest:here", 8).measures}
    for expert in (Abx, Words, Boundaries, Probe):
        rows = of_noise(expert, outlook.MEASURES[expert.name], 8, tmp_path / expert.name)
        assert rows.keys() == set(outlook.MEASURES[expert.name])
        for name, row in rows.items():
            assert told[name].verdict == ("refused" if row.refused else "grey" if row.grey else "fine"), name
            assert told[name].reason == (row.refused or row.grey)
            if name not in ("awd_word", "probe_speaker"):  # whose n counts other words too; which is refused
                assert told[name].rows == row.n
            assert row.refused or told[name].scoring_s > 0


@pytest.mark.usefixtures("_corpus")
@pytest.mark.parametrize("expert", [Abx, Words, Probe])
def test_scoring_takes_what_was_told(tmp_path, expert):
    """What Python itself takes and numpy's arrays, traced: no more than told, and told is not far too much."""
    tap = Tap(0, "layer", None, "layer", 320, 64)
    given = {"corpus": "manifest:here", "measures": list(outlook.MEASURES[expert.name])}
    made = expert(64, 320, given, str(tmp_path), (tap,), {"upstream": "noise"}, seed=1337)
    planted.feed(made, (planted.noise,))
    for measure in made.measures:
        assert isinstance(measure, Foretells)
        tracemalloc.start()
        list(measure.compute())
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert taken < measure.scoring_bytes + 5e6


def test_clusters_that_mean_nothing_are_as_uneven_as_those_of_speech(timit_sample):
    """A small model's clusters of the same speech give EMI / H of .43 to .48 for words, .53 to .59 for speakers."""
    said = {each.measure: each for each in outlook.look(f"manifest:{timit_sample}", 64).measures}
    assert (said["mi_phone"].verdict, said["mi_word"].verdict, said["mi_speaker"].verdict) == (
        "fine",
        "grey",
        "refused",
    )


@pytest.mark.usefixtures("_corpus")
def test_what_would_help_does(tmp_path):
    said = {each.measure: each for each in outlook.look("manifest:here", 40).measures}
    poor = [each for each in said.values() if each.helps and each.measure == "cca_phone"]
    (phone,) = poor or [said["cca_phone"]]
    dims = [d for d in (40, 100, 400) if outlook.look("manifest:here", d).measures[2].verdict != "fine"]
    assert dims, phone
    each = outlook.look("manifest:here", dims[0]).measures[2]
    wanted = int(each.helps.split()[0])
    factor = wanted / (wanted - 1) * 3 * dims[0] / each.rows
    assert f"({factor:.1f} times as many)" in each.helps


@pytest.mark.usefixtures("_corpus")
def test_more_dimensions_take_more(tmp_path):
    small, large = (outlook.look("manifest:here", dim) for dim in (32, 64))
    assert large.memory_gb > small.memory_gb
    assert small.audio_s == large.audio_s > 0
    assert np.isfinite(small.scoring_s)


def test_the_command_says_it(capsys, timit_sample):
    name = f"manifest:{timit_sample}"
    assert main(["ls", "corpus", name, "--dim", "1024"]) == 0
    text = capsys.readouterr().out
    assert "layers of 1024 dimensions at 20 ms" in text
    assert "what would help: " in text
    assert "h of audio" in text
    assert main(["ls", "corpus", name, "--dim", "16", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["outlook"]
    assert {each["measure"] for each in found["measures"]} == {m for some in outlook.MEASURES.values() for m in some}
    assert found["scoring_gb"] > 0
    for wrong in ("0", "-3", "1000000000000"):
        assert main(["ls", "corpus", name, "--dim", wrong]) == 2
    assert main(["ls", "upstreams", "--dim", "4"]) == 2


@pytest.mark.parametrize("found", [0, 1])
def test_what_would_help_is_told_of_hardly_any_rows(found):
    """Of none it is as for one: the smallest number of which a multiple can be told."""
    plan = SimpleNamespace(seconds=np.array([1800.0, 1800.0]))
    told = outlook._of_rows("cca_phone", np.array([found, found]), 4, plan, "")
    times = math.ceil(EFFECTIVE_ROWS_GREY * 4)
    assert (told.verdict, told.rows) == ("refused", found)
    assert (
        told.helps == f"{times * 2 * found} segments ({times:.1f} times as many): {float(times):.2g} h of such speech"
    )
