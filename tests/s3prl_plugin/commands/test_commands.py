"""The command line: one module per command, loaded when chosen; mistakes in one line."""

import importlib
import subprocess
import sys

import pytest

import s3prl_plugin
from s3prl_plugin import commands
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs.exit_status import exit_status


@pytest.mark.parametrize("words", [["--help"], ["doctor", "--help"], ["ls", "--help"], ["demo", "--help"]])
def test_help_is_light(words):
    code = f"""if True:
    import sys
    from s3prl_plugin.commands import main
    try:
        main({words})
    except SystemExit as ended:
        print(ended.code, [name for name in ("torch", "s3prl", "numpy", "torchaudio") if name in sys.modules])
    """
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.endswith("0 []\n"), ended.stderr
    assert "usage: s3prl-plugin" in ended.stdout


def test_every_command_is_there_and_listed(capsys):
    assert commands.main([]) == 0
    shown = capsys.readouterr().out
    for name in commands.COMMANDS:
        module = importlib.import_module(f"s3prl_plugin.commands.{name}")
        assert isinstance(module.HELP, str)
        assert callable(module.run)
        assert callable(module.add_arguments)
        assert f"    {name} " in shown


def test_an_unknown_command_gets_the_closest(capsys):
    assert commands.main(["docter"]) == 2
    assert capsys.readouterr().err == "error: s3prl-plugin docter: no such command; did you mean 'doctor'?\n"


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        commands.main(["--version"])
    assert capsys.readouterr().out.strip() == f"s3prl-plugin {s3prl_plugin.__version__}"


def test_run_passes_every_flag_on(monkeypatch):
    from s3prl_plugin import run_downstream

    given = []
    monkeypatch.setattr(run_downstream, "main", lambda flags: given.extend(flags) or 0)
    flags = ["-m", "train", "--help", "--", "-o", "config.a=1,,args.b=2", "--version"]
    assert commands.main(["run", *flags]) == 0
    assert given == flags


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (UserError("a.yaml, line 3: wrong"), 2, "error: a.yaml, line 3: wrong\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            UserError(
                "Caught UserError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
                "  ...\ns3prl_plugin.errors.UserError: b: bad\n"
            ),
            2,
            "error: b: bad\n",
        ),
    ],
)
def test_errors_become_a_line_and_a_status(capsys, error, status, told):
    def job():
        raise error

    assert exit_status(job) == status
    assert capsys.readouterr().err == told


def test_a_bug_keeps_its_traceback():
    def job():
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        exit_status(job)
