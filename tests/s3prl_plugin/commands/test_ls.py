"""`s3prl-plugin ls`, as a user sees it."""

import json
import subprocess
import sys

import pytest

from s3prl_plugin import registry
from s3prl_plugin.commands import main


def listed(capsys, *words):
    assert main(["ls", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_upstreams_shows_every_entry_and_what_tells_it_apart(capsys):
    rows = {row["upstream"]: row for row in listed(capsys, "upstreams")}
    assert set(rows) == set(registry.upstreams())
    b2_a = rows["mr_hubert_b2_a"]
    assert (b2_a["layers"], b2_a["ms"], b2_a["dim"]) == ("3-2-2-3-2", "20-40-80-40-20", 768)
    assert b2_a["blocks"] == ["enc0", "enc1", "mid", "dec0", "dec1"]
    assert rows["mr_hubert_b5_a"]["ms"] == "20-20-20"
    assert rows["mr_hubert_b8_c"]["layers"] is None
    assert {"licence", "address", "unit_iteration"} <= set(b2_a)


def test_upstreams_as_a_table(capsys):
    assert main(["ls", "upstreams"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["upstream", "layers", "ms", "dim", "isolates", "data"]
    assert any(line.split()[:4] == ["mr_hubert_base", "4-4-4", "20-40-20", "768"] for line in lines)
    assert any(line.split()[:4] == ["mr_hubert_b8_c", "?", "?", "?"] for line in lines), "unknown, and said so"


def test_upstreams_with_those_of_s3prl(capsys):
    names = [row["upstream"] for row in listed(capsys, "upstreams", "--all")]
    assert len(names) == len(set(names))
    assert {"mr_hubert_base", "hubert_base", "fbank", "wavlm_large"} <= set(names)


def test_taps_of_a_known_variant_need_neither_torch_nor_file():
    code = (
        "import sys; from s3prl_plugin.commands import main\n"
        "assert main(['ls', 'taps', 'mr_hubert_large']) == 0\n"
        "assert not {'torch', 's3prl'} & set(sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    lines = shown.splitlines()
    assert lines[0].split() == ["index", "tap", "block", "layer", "ms", "stride", "dim", "role"]
    assert lines[9].split() == ["8", "enc0.out", "enc0", "out", "20", "320", "1024", "state"]
    assert lines[10].split()[1:6] == ["mid.pre", "mid", "pre", "40", "640"]
    assert len(lines) == 1 + 27 + 2


def test_taps_of_a_checkpoint_and_of_a_foreign_upstream(capsys, small_checkpoint):
    ours = listed(capsys, "taps", "mr_hubert_local", "-k", str(small_checkpoint))
    assert [row["tap"] for row in ours if row["ms"] == 40] == ["mid.pre", "mid.layer0", "mid.layer1", "res_out0"]
    (fbank,) = listed(capsys, "taps", "fbank")
    assert (fbank["tap"], fbank["stride"], fbank["dim"], fbank["block"]) == ("layer0", 160, 240, None)


def test_downstreams_and_measures(capsys):
    rows = listed(capsys, "downstreams")
    assert {"cca", "mi", "suite"} <= {row["downstream"] for row in rows}
    assert next(row["what"] for row in rows if row["downstream"] == "cca").startswith("Canonical correlation")
    assert {"cca", "cka", "mi"} <= {row["downstream"] for row in listed(capsys, "measures")}


def test_measures_of_one_downstream(capsys):
    every = listed(capsys, "measures")
    assert listed(capsys, "measures", "probe") == [row for row in every if row["downstream"] == "probe"]
    assert main(["ls", "measures", "prob"]) == 2
    assert "probe" in capsys.readouterr().err


def test_measures_are_those_that_the_analyses_accept(capsys):
    from s3prl_plugin.downstream.cca.expert import DownstreamExpert as Cca
    from s3prl_plugin.downstream.cka.expert import DownstreamExpert as Cka

    rows = listed(capsys, "measures")
    for expert in (Cca, Cka):
        mine = [row for row in rows if row["downstream"] == expert.name]
        assert {row["measure"] for row in mine} == set(expert.known_measures)
    known = {row["measure"]: (row["downstream"], row["default"]) for row in rows}
    assert known["cca_phone"] == ("cca", "yes")
    assert known["cka_matrix"] == ("cka", "no")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["taps"], "ls taps mr_hubert_base"),
        (["taps", "mr_hubert_bas"], "did you mean 'mr_hubert_base'"),
        (["taps", "mr_hubert_local"], "needs a checkpoint"),
        (["taps", "mr_hubert_local", "-k", "missing.pt"], "missing.pt"),
        (["corpus"], "ls corpus manifest:FOLDER"),
    ],
)
def test_mistakes_are_told_in_a_line(capsys, words, told):
    assert main(["ls", *words]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
