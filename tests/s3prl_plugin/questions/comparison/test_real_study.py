"""A study as a user runs it, on a corpus of noise: its facts are those of the checkpoints, and it is compared."""

import hashlib

import entry_point
import planted
import pytest
import soundfile
import torch
import yaml

from s3prl_plugin import results, run_downstream
from s3prl_plugin.inference.folders import folders as folders_of
from s3prl_plugin.questions import comparison
from s3prl_plugin.states import upstream_facts
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load

pytestmark = pytest.mark.slow
SPEAKERS = 8


def write_corpus(folder):
    """A manifest of noise whose words and phones mean nothing."""
    folder.mkdir()
    corpus = planted.corpus(speakers=SPEAKERS, per_speaker=3)
    tables = {"utterances": ["utt\taudio\tspeaker\tsentence"]}
    tables |= {kind: ["utt\tlabel\tstart_s\tend_s"] for kind in ("phones", "words")}
    for utterance in corpus.utterances:
        soundfile.write(folder / utterance.audio.name, planted.waveform(utterance).numpy(), SAMPLE_RATE)
        said = (utterance.name, utterance.audio.name, utterance.speaker, utterance.sentence)
        tables["utterances"].append("\t".join(said))
        for kind in ("phones", "words"):
            for segment in getattr(utterance, kind):
                tables[kind].append(f"{utterance.name}\t{segment.label}\t{segment.start_s}\t{segment.end_s}")
    for name, lines in tables.items():
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    (folder / "corpus.yaml").write_text("kind: generated\n")


def write_checkpoint(path, ratios, heads, seed):
    config = small.small_config(dim=16, layers=(1, 1, 1), ratios=ratios)
    parameters = {f"final_projs.{i}.weight": torch.zeros(4, 16) for i in range(heads)}
    network = small.random_network(config, seed)
    return load.save(path, network, heads=parameters, single_target=True, train_step=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a study of three checkpoints has been run."""
    folder = tmp_path_factory.mktemp("study")
    write_corpus(folder / "corpus")
    write_checkpoint(folder / "one.pt", ((1, 2),), 2, 0)
    write_checkpoint(folder / "two.pt", ((1, 2),), 1, 1)
    write_checkpoint(folder / "three.pt", ((1, 1),), 2, 2)
    upstreams = {
        name: {"upstream": "mr_hubert_local", "checkpoint": f"{file}.pt"}
        for name, file in (("x", "one"), ("y", "two"), ("z", "three"))
    }
    upstreams["z"]["also"] = {"decimated": {"pool_to": "decimate:40"}}
    cca = {"measures": ["cca_mel", "cca_intra", "cca_phone", "cca_word"], "segment_weights": ["frames", "centre"],
           "batch_size": 2}  # fmt: skip
    config = {"study": {"upstreams": upstreams}, "suite": {"corpus": "manifest:corpus", "analyses": {"cca": cca}}}
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    words = ["-m", "train", "-d", "suite", "--device", "cpu", "-c", "study.yaml", "-p", "out"]

    def run_job(flags, folder):
        ended = entry_point.run(*flags)
        assert ended.returncode == 0, ended.stderr[-3000:]

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("s3prl_plugin.study.runner.process.run", run_job)
        assert run_downstream.main(words) == 0
    return folder


def test_the_facts_are_those_of_the_checkpoints(folder):
    facts = {path.name: upstream_facts.read(path) for path in folders_of(folder / "out")}
    assert list(facts) == ["x", "y", "z", "z_decimated"]
    flat, lower = [20, 20, 20], [20, 40, 20]
    for name, file, heads, rates in (("x", "one", 2, lower), ("y", "two", 1, lower), ("z", "three", 2, flat)):
        found = facts[name]
        assert found.checkpoint_sha256 == hashlib.sha256((folder / f"{file}.pt").read_bytes()).hexdigest()
        assert (found.training["prediction_heads"], found.training["train_step"]) == (heads, 10)
        assert found.architecture["block_ms"] == rates
        assert found.params == sum(p.numel() for p in load.load(folder / f"{file}.pt").network().parameters())
        assert {tap.stride for tap in found.taps} == {20 * 16, max(rates) * 16}
        assert found.options == {}
    assert facts["z_decimated"].options == {"pool_to": "decimate:40"}
    assert {tap.stride for tap in facts["z_decimated"].taps} == {640}
    assert facts["z_decimated"].architecture == facts["z"].architecture


def test_the_forward_passes_were_timed_over_the_same_batches(folder):
    found = [upstream_facts.read(path).forward for path in folders_of(folder / "out")]
    assert all(each.batches == 3 * SPEAKERS // 2 - 1 for each in found)
    assert all(each.seconds_per_second > 0 for each in found)
    assert len({tuple(audio for audio, _ in each.groups) for each in found}) == 1


def test_rows_say_how_many_speakers_they_are_from(folder):
    for path in folders_of(folder / "out"):
        assert {row.speakers for row in results.read(path)} == {SPEAKERS}


def test_the_study_is_compared(folder):
    found = comparison.compare(folders_of(folder / "out"))
    assert found.models == ("x", "y", "z")
    assert [banner.partition(":")[0] for banner in found.banners] == [
        "A check of the software, not a finding",
        "Few speakers",
    ]
    sections = {section.name: section for section in found.sections}
    assert {"loss", "rate", "words", "autoencoder", "costs", "grid"} <= set(sections)
    for name, label in (("loss", "x - y"), ("rate", "x - z")):
        shown = [row for row in sections[name].contrasts if row.value is not None]
        assert len(shown) >= 9
        assert all(row.label.startswith(label) for row in shown)
    words = [row for row in sections["words"].contrasts if row.value is not None]
    assert len(words) >= 8
    rows = {name: {(r.measure, r.tap, r.segments): r for r in results.read(folder / "out" / name) if r.headline}
            for name in ("x", "z", "z_decimated")}  # fmt: skip
    by_hand = {
        "both at 40 ms (": (rows["x"], rows["z_decimated"], None),
        "mid.layer0, each at its own rate": (rows["x"], rows["z"], None),
        "at its centre, each": (rows["x"], rows["z"], "centre"),
    }
    for label, (one, other, segments) in by_hand.items():
        (row,) = [row for row in words if label in row.label]
        key = ("cca_word", "mid.layer0", segments)
        assert row.value == pytest.approx(one[key].value - other[key].value)
        assert row.ci_low < row.value < row.ci_high
