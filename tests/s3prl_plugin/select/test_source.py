"""What a run's folder tells of itself."""

import pytest
import tap_rows
import yaml

from s3prl_plugin import results, select
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.folders import remember
from s3prl_plugin.select.source import parted

OPTIONS = {"pool_to": "decimate:40", "random_weights": True, "seed": 3}


def test_the_upstream_is_loaded_as_the_run_loaded_it(write_run, tmp_path, checkpoint):
    (source,) = select.sources([write_run(tmp_path / "run", options=OPTIONS)])
    assert source.loading == ["-u", "mr_hubert_local", "-k", str(checkpoint)]
    assert source.options == OPTIONS
    assert source.is_own


def test_options_come_from_the_rows_where_the_folder_has_lost_them(write_run, tmp_path):
    folder = write_run(tmp_path / "run", options=OPTIONS)
    (folder / "args_2026-01-01-00-00-00.yaml").unlink()
    (source,) = select.sources([folder])
    assert (source.upstream, source.options) == ("mr_hubert_local", OPTIONS)
    assert source.loading == ["-u", "mr_hubert_local", "-k", "CKPT"]


def test_a_file_of_options_that_is_gone_is_told(write_run, tmp_path):
    folder = write_run(tmp_path / "run", options=OPTIONS)
    (folder / "options.yaml").unlink()
    with pytest.raises(UserError, match=r"options\.yaml, which is not there any more"):
        select.sources([folder])
    (folder / "options_2026-01-01-00-00-00.yaml").write_text(yaml.safe_dump(OPTIONS))  # the copy that s3prl keeps
    assert select.sources([folder])[0].options == OPTIONS


def test_a_plain_entry_has_no_options():
    assert parted("hubert_base") == ("hubert_base", {})


def test_the_settings_of_a_task_come_from_the_run_else_from_its_study(write_run, tmp_path):
    write_run(tmp_path / "a")
    remember(tmp_path, ["a"])
    task = {"override": {"optimizer": {"lr": 0.5}}}
    suite = {"corpus": "generated", "tasks": {"KS": task}}
    (tmp_path / "config_2026-01-01-00-00-00.yaml").write_text(yaml.safe_dump({"suite": suite}))
    (source,) = select.sources([tmp_path])
    assert source.task_options("KS") == task
    assert source.task_options("SID") is None
    assert source.corpus == "generated"


def test_taps_are_the_states_that_an_analysis_has_seen(write_run, tmp_path):
    folder = write_run(tmp_path / "run", measures=["cca_phone"])
    output = tap_rows.row("res_out1", 9, [0.1, 0.2], block=None)
    learned = results.Row(upstream="mr_hubert_local", measure="KS", score="weight", tap="hidden.0", value=0.5,
                          weights="trained", tap_index=0, downstream="voxceleb1")  # fmt: skip
    results.write(folder, [output, learned])
    (source,) = select.sources([folder])
    assert [row.tap for row in source.taps()] == tap_rows.TAPS


def test_a_lone_analysis_tells_its_corpus(write_run, tmp_path):
    folder = write_run(tmp_path / "run", suite={})
    content = {"downstream_expert": {"corpus": "timit:/data"}}
    (folder / "config_2026-01-01-00-00-00.yaml").write_text(yaml.safe_dump(content))
    (source,) = select.sources([folder])
    assert source.corpus == "timit:/data"
