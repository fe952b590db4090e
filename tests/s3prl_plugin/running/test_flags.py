"""The help of a run against the parser that reads its flags: s3prl's own, with this plugin's additions."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

import s3prl_plugin
from s3prl_plugin import run_downstream
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.running import arguments, flags


class Built(Exception):
    """Ends s3prl's function when its parser is complete."""


def actions():
    """The flags that s3prl and this plugin read."""
    s3prl_plugin.register()
    from s3prl import run_downstream as stock

    class Parser(arguments.Parser):
        def parse_args(self, *args, **kwargs):
            raise Built(self)

    with replaced(stock, argparse=SimpleNamespace(ArgumentParser=Parser)), pytest.raises(Built) as built:
        stock.get_downstream_args()
    (parser,) = built.value.args
    return {tuple(action.option_strings): action for action in parser._actions if action.dest != "help"}


def test_every_flag_is_explained_and_no_other():
    explained = {tuple(names.split()): metavar for group in flags.GROUPS.values() for names, metavar, _ in group}
    read = actions()
    assert explained.keys() == read.keys()
    assert {names for names, metavar in explained.items() if metavar is None} == {
        names for names, action in read.items() if action.nargs == 0
    }


def test_it_is_printed_without_torch_and_s3prl(capsys):
    assert run_downstream.main(["-m", "train", "--help"]) == 0
    out = capsys.readouterr().out
    assert "what is measured:" in out
    assert "examples:" in out
    code = "import sys; from s3prl_plugin import run_downstream; run_downstream.main(['-h'])\n"
    code += "print({'torch', 's3prl', 'numpy'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.endswith("set()\n")
    assert max(map(len, out.splitlines())) <= 120
