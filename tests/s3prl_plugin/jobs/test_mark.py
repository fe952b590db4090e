"""Whether a job is finished: of this very content, with what it left still there."""

import os

import pytest

from s3prl_plugin.jobs.mark import Mark


@pytest.fixture
def product(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "results.jsonl"


def test_it_is_the_very_job_that_is_finished(product):
    mark = Mark(product, {"seed": 1, "flags": ("-f",)})
    assert mark.seconds() is None
    mark.write(12.34)
    assert mark.seconds() is None, "without what it makes it is not finished"
    product.write_text("")
    assert mark.seconds() == 12.3
    assert Mark(product, {"seed": 2, "flags": ("-f",)}).seconds() is None
    assert Mark(product, {"seed": 1, "flags": ("-f",)}, ["a.pt"]).seconds() is None
    (product.parent / "finished.json").write_text("{")
    assert mark.seconds() is None


def test_of_a_file_what_it_holds_counts(product, tmp_path):
    product.write_text("")
    file = tmp_path / "a.pt"
    file.write_text("1")
    mark = Mark(product, {}, [str(file)])
    mark.write(5)
    os.utime(file, (1, 1))
    assert mark.seconds() == 5, "not when it was written"
    file.write_text("2")
    assert mark.seconds() is None, "another one, of the same size"


def test_of_a_folder_all_its_files_count(product, tmp_path):
    product.write_text("")
    (tmp_path / "hf" / "inner").mkdir(parents=True)
    (tmp_path / "hf" / "config.json").write_text("{}")
    mark = Mark(product, {}, [str(tmp_path / "hf"), "https://x/a.pt"])
    mark.write(5)
    assert mark.seconds() == 5
    (tmp_path / "hf" / "inner" / "weights").write_text("1")
    assert mark.seconds() is None
