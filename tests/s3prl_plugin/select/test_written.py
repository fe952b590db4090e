"""What is written for a chosen tap loads, and means what it says."""

import shlex
from pathlib import Path

import pytest
import tap_rows
import torch
import yaml

from s3prl_plugin import results, select
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import arguments
from s3prl_plugin.select import layers, written
from s3prl_plugin.upstream.mr_hubert import options as upstream_options
from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert

TAPS = tap_rows.TAPS
BEST = "mid.layer0"
TASKS = ["PR", "ASR", "KS", "QbE", "SID", "ASV", "SD", "IC", "SF"]


def found(folder, task="SID"):
    (source,) = select.sources([folder])
    return select.recommend(select.criterion(task), source)


def write(folder, path, task="SID", way=None, corpus=None):
    choice = found(folder, task)
    assert choice.tap.tap == BEST
    return written.write(choice, written.ready(choice, way), path, corpus)


def loaded(checkpoint, path):
    """The upstream with a written file of options."""
    return UpstreamExpert(checkpoint, model_config=str(path))


@pytest.mark.parametrize("task", TASKS)
def test_a_frozen_heads_suite_is_one_that_a_run_accepts(task, run_folder, tmp_path):
    ready = write(run_folder, tmp_path / "head.yaml", task)
    config = arguments.check_config(ready.files[0], "suite")
    assert list(config.data["suite"]["tasks"]) == [task]
    assert config.data["suite"]["tasks"][task]["corpus"] == "generated"
    assert upstream_options.read(ready.files[1], {}).stop_at == BEST


def test_a_head_that_averages_sees_the_tap_at_its_own_rate_and_one_of_frames_at_the_finest(run_folder, tmp_path):
    assert list(write(run_folder, tmp_path / "a.yaml", "SID").flags) == ["-s", BEST]
    ready = write(run_folder, tmp_path / "b.yaml", "PR")
    assert list(ready.flags) == ["-s", "hidden_states", "-l", str(TAPS.index(BEST))]


def test_the_list_entry_of_a_head_is_the_tap_when_the_network_is_cut(run_folder, tmp_path, checkpoint):
    ready = write(run_folder, tmp_path / "head.yaml", "PR")
    place = int(ready.flags[-1])
    waveform = torch.randn(16000, generator=torch.Generator().manual_seed(0))
    cut, whole = loaded(checkpoint, ready.files[1]).eval(), UpstreamExpert(checkpoint).eval()
    with torch.no_grad():
        entry, states = cut([waveform])["hidden_states"], whole([waveform])["states"]
    assert place == len(entry) - 1
    native = states[BEST][:, : int(states.lengths[TAPS.index(BEST)][0])]
    repeated = native.repeat_interleave(2, dim=1)[:, : entry[place].shape[1]]
    assert torch.allclose(entry[place], repeated, atol=1e-5)


def test_the_command_line_is_one_that_s3prl_reads(run_folder, tmp_path, checkpoint):
    ready = write(run_folder, tmp_path / "head.yaml")
    words = shlex.split(ready.command)
    assert words[:3] == ["python", "-m", "s3prl_plugin.run_downstream"]
    parser = arguments.Parser()
    for flag in ("-m", "-d", "-c", "-u", "-k", "-g", "-s", "-p"):
        parser.add_argument(flag)
    read = vars(super(arguments.Parser, parser).parse_args(words[3:]))
    assert (read["d"], read["u"], read["k"], read["s"]) == ("suite", "mr_hubert_local", str(checkpoint), BEST)
    assert Path(read["c"]).is_file()
    assert Path(read["g"]).is_file()


def test_cut_leaves_nothing_above_the_tap(run_folder, tmp_path, checkpoint):
    ready = write(run_folder, tmp_path / "ft.yaml", way="cut")
    assert ready.flags[-1] == "-f"
    model = loaded(checkpoint, ready.files[1])
    assert [tap.name for tap in model.taps if tap.role == "state"] == TAPS[: TAPS.index(BEST) + 1]


def test_reset_touches_just_the_layers_above_the_tap(run_folder, tmp_path, checkpoint):
    ready = write(run_folder, tmp_path / "ft.yaml", way="reset")
    fresh, stock = loaded(checkpoint, ready.files[1]), UpstreamExpert(checkpoint)
    pairs = zip(fresh.network.layers_in_order(), stock.network.layers_in_order(), strict=True)
    changed = [
        any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
        for one, other in pairs
    ]
    assert changed == [False, False, False, True, True, True]  # mid.layer0 is the third of six layers
    assert list(ready.flags) == ["-s", TAPS[-1], "-f"]


def test_freeze_trains_just_the_layers_above_the_tap(run_folder, tmp_path, checkpoint):
    ready = write(run_folder, tmp_path / "ft.yaml", way="freeze")
    model = loaded(checkpoint, ready.files[1])
    trained = [any(p.requires_grad for p in layer.parameters()) for layer in model.network.layers_in_order()]
    assert trained == [False, False, False, True, True, True]


def test_a_fine_tuned_suite_has_no_store_and_a_small_learning_rate(write_run, tmp_path):
    sid = {"override": {"optimizer": {"lr": 0.1}, "runner": {"total_steps": 7}}}
    folder = write_run(tmp_path / "run", suite={"corpus": "generated", "tasks": {"SID": sid}})
    ready = write(folder, tmp_path / "ft.yaml", way="cut")
    config = arguments.check_config(ready.files[0], "suite").data["suite"]
    assert "store" not in config
    assert config["tasks"]["SID"]["override"] == {
        "optimizer": {"lr": written.FINE_TUNING_RATE},
        "runner": {"total_steps": 7},
    }


def test_options_that_change_the_features_are_carried_over(write_run, tmp_path, checkpoint):
    folder = write_run(tmp_path / "run", options={"pool_to": "decimate:40", "native": True})
    ready = write(folder, tmp_path / "head.yaml")
    assert yaml.safe_load(ready.files[1].read_text()) == {"pool_to": "decimate:40", "stop_at": BEST}
    loaded(checkpoint, ready.files[1])


def test_fine_tuning_is_in_full_precision(write_run, tmp_path):
    folder = write_run(tmp_path / "run", options={"dtype": "bfloat16"})
    assert written.ready(found(folder)).options == {"dtype": "bfloat16", "stop_at": BEST}
    assert written.ready(found(folder), "cut").options == {"stop_at": BEST}


def test_nothing_above_the_last_tap_can_be_frozen_or_reset(write_run, tmp_path):
    folder = write_run(tmp_path / "run", means=[0.1 + 0.05 * i for i in range(9)])
    choice = found(folder)
    assert choice.tap.tap == TAPS[-1]
    for way in ("reset", "freeze"):
        with pytest.raises(UserError, match=f"--fine-tune {way}: no layer lies above {TAPS[-1]}"):
            written.ready(choice, way)


def test_what_enters_a_block_is_no_layer():
    rows = tap_rows.layers([0.1] * 9)
    assert layers.layers_above(rows[1], rows, {}) == ["enc0.layer1", "mid.layer0", "mid.layer1", "dec0.layer0",
                                                      "dec0.layer1"]  # fmt: skip


def test_layers_that_the_results_do_not_show_are_not_counted(run_folder):
    rows = tap_rows.layers([0.1] * 9)
    with pytest.raises(UserError, match="do not show every tap"):
        layers.layers_above(rows[1], rows[:3] + rows[4:], {})
    with pytest.raises(UserError, match="without stop_at"):
        layers.layers_above(rows[1], rows, {"stop_at": TAPS[-1]})


class TestAnotherUpstream:
    """One that is not this plugin's has no options of fine-tuning."""

    @pytest.fixture
    def folder(self, write_run, tmp_path):
        return write_run(tmp_path / "run", upstream="hubert_base", taps=[f"layer{i}" for i in range(9)])

    def test_a_head_takes_an_entry_of_hidden_states(self, folder, tmp_path):
        choice = found(folder)
        ready = written.write(choice, written.ready(choice), tmp_path / "head.yaml")
        assert list(ready.flags) == ["-s", "hidden_states", "-l", "4"]
        assert len(ready.files) == 1
        assert "-u hubert_base" in ready.command
        assert " -g " not in ready.command
        arguments.check_config(ready.files[0], "suite")

    def test_cut_says_what_is_not_possible(self, folder):
        ready = written.ready(found(folder), "cut")
        assert ready.flags[-1] == "-f"
        assert any("cannot be cut" in line for line in ready.about)

    @pytest.mark.parametrize("way", ["reset", "freeze"])
    def test_the_others_are_refused(self, folder, way):
        with pytest.raises(UserError, match=f"--fine-tune {way}: hubert_base is not an MR-HuBERT of this plugin"):
            written.ready(found(folder), way)


def test_a_network_that_is_seen_in_part_can_be_cut_and_not_reset(write_run, tmp_path):
    folder = write_run(tmp_path / "run", measures=["cca_speaker"])
    results.write(tmp_path / "part", [row for row in results.read(folder) if row.tap != TAPS[2]])
    choice = found(tmp_path / "part")
    assert written.ready(choice, "cut").options == {"stop_at": BEST}
    with pytest.raises(UserError, match="take `--fine-tune cut`"):
        written.ready(choice, "reset")


def test_a_corpus_that_nobody_named_is_asked_for(write_run, tmp_path):
    folder = write_run(tmp_path / "run", suite={"corpus": "timit:/data", "analyses": {"cca": {}}})
    with pytest.raises(UserError, match=r"KS: the results do not say which corpus .* give --corpus FOLDER"):
        write(folder, tmp_path / "head.yaml", "KS")  # which no corpus of sentences can stand in for
    ready = write(folder, tmp_path / "head.yaml", "SID")
    assert yaml.safe_load(ready.files[0].read_text())["suite"]["tasks"]["SID"]["corpus"] == "timit:/data"
    ready = write(folder, tmp_path / "head.yaml", "KS", corpus="generated")
    arguments.check_config(ready.files[0], "suite")


def test_a_configuration_is_yaml(run_folder, tmp_path):
    with pytest.raises(UserError, match=r"ends in \.yaml"):
        write(run_folder, tmp_path / "head.json")


def test_separation_is_for_s3prls_own_runner(run_folder, tmp_path):
    choice = found(run_folder, "SS")
    ready = written.ready(choice)
    assert "-d separation_stft2" in written.command(choice.source, ready, Path("s.yaml"), Path("u.yaml"), "SS")
    with pytest.raises(UserError, match="no suite can run SS yet"):
        written.write(choice, ready, tmp_path / "head.yaml")
