"""Packages that offer something wrong: told in one line each, and in nobody's way."""

import subprocess
import sys
import textwrap

import pytest

from s3prl_plugin import registry
from s3prl_plugin.errors import UserError
from s3prl_plugin.plugins import plugin_flag
from s3prl_plugin.states import foreign, pooling

GOOD_ABOUT = """
measures: {MEASURE: {about: nothing, view: none}}
scores: {share: {says: a number, range: [0, 1], chance: 0, cannot: speak, source: here, headline: true}}
"""


@pytest.fixture
def site(tmp_path):
    """A folder as pip leaves it; `add` puts a package there: its entry points and files."""

    def add(name, entry_points, **files):
        information = tmp_path / f"{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(textwrap.dedent(entry_points))
        for file, content in {"__init__.py": "", **files}.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    add.path = tmp_path
    return add


def told(site, code):
    """What a fresh process prints that has these packages, and what it warns of."""
    head = f"import sys; sys.path.insert(0, {str(site.path)!r})\n"
    head += textwrap.dedent("""
    from s3prl_plugin import registry
    from s3prl_plugin.errors import UserError
    def attempt(function, *args):
        try:
            print("fine:", function(*args))
        except UserError as error:
            print(error)
    """)
    ended = subprocess.run([sys.executable, "-c", head + textwrap.dedent(code)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines(), ended.stderr.splitlines()


def downstreams(**packages):
    """The entry points of downstreams."""
    return "[s3prl_plugin.downstreams]\n" + "".join(f"{name} = {target}\n" for name, target in packages.items())


def test_nothing_is_imported_before_it_is_used(site):
    files = {"spread/__init__.py": "", "spread/expert.py": "", "spread/about.yaml": GOOD_ABOUT}
    site("lazy", downstreams(spread="lazy.spread"), **{"__init__.py": "print('imported')", **files})
    said, warned = told(
        site,
        """
        from s3prl_plugin.analysis import about
        print("spread" in registry.downstream_names(), registry.analyses()["spread"], "MEASURE" in about.everything())
        print(registry.origin("downstream", "spread"), registry.origin("downstream", "cca"))
        """,
    )
    assert said == ["True lazy.spread True", "{'lazy': '1.0'} {}"]
    assert not warned


def test_a_name_has_one_owner(site):
    site("first", downstreams(spread="first.spread", cca="first.cca", asr="first.asr"))
    site("second", downstreams(spread="second.spread"))
    said, warned = told(
        site,
        """
        attempt(registry.check_downstream, "spread")
        attempt(registry.check_downstream, "cca")
        print(registry.downstreams()["cca"])
        """,
    )
    both = "downstream 'spread' is offered by first 1.0 and second 1.0: uninstall one of them"
    assert said == [both, "fine: None", "s3prl_plugin.downstream.cca"]
    assert f"[plugin] warning: {both} (left out)" in warned
    assert any("'cca' of first 1.0 wants a name that belongs to s3prl_plugin.downstream.cca" in line for line in warned)
    assert any("'asr' of first 1.0 wants a name that belongs to /" in line for line in warned)
    assert len(warned) == 3


def test_what_is_missing_is_told_where_it_is_used_and_nowhere_else(site):
    expert = "class DownstreamExpert:\n    takes_states = True\n    known_measures = ()\n"
    site(
        "broken",
        downstreams(
            **{name: f"broken.{name}" for name in ("fails", "empty", "classless", "silent", "misnamed", "bare")}
        ),
        **{f"{name}/__init__.py": "" for name in ("fails", "empty", "classless", "silent", "misnamed", "bare")},
        **{
            "fails/expert.py": "import no_such_library\n",
            "classless/expert.py": "",
            "silent/expert.py": expert,
            "misnamed/expert.py": f"{expert}    name = 'another'\n",
            "misnamed/about.yaml": GOOD_ABOUT,
            "bare/expert.py": "class DownstreamExpert: pass\n",
            "bare/about.yaml": "measures: [1]\n",
        },
    )
    said, warned = told(
        site,
        """
        from s3prl_plugin.analysis import about
        for name in ("fails", "empty", "classless", "silent", "misnamed", "bare"):
            attempt(registry.check_downstream, name)
        print("cca_phone" in about.everything())
        """,
    )
    cure = "; mend or remove it (docs/extending.md)"
    missing = "cannot be imported (ModuleNotFoundError: No module named 'no_such_library')"
    assert said == [
        f"downstream 'fails' of broken 1.0: {missing}{cure}",
        f"downstream 'empty' of broken 1.0: its folder has no expert.py{cure}",
        f"downstream 'classless' of broken 1.0: broken.classless.expert has no DownstreamExpert{cure}",
        f"downstream 'silent' of broken 1.0: an analysis needs about.yaml and config.yaml in its folder{cure}",
        f"downstream 'misnamed' of broken 1.0: DownstreamExpert.name is 'another', and must be 'misnamed'{cure}",
        "downstream 'bare' of broken 1.0: DownstreamExpert has no name; derive it from "
        f"s3prl_plugin.analysis.expert.AnalysisExpert{cure}",
        "True",
    ]
    assert len(warned) == 1
    assert "[plugin] warning: broken 1.0: " in warned[0]
    assert "bare/about.yaml: not what a downstream's about.yaml holds" in warned[0]


def test_upstreams_and_corpora_that_cannot_be_used(site):
    site("theirs", "[s3prl_plugin.upstreams]\nfbank = theirs:fbank\nbare = theirs\nnone = theirs:none\n")
    site("readers", "[s3prl_plugin.corpora]\nlines = readers.lines\n", **{"lines.py": "", "rest.py": ""})
    said, warned = told(
        site,
        """
        from s3prl_plugin.corpora import open_corpus
        attempt(open_corpus, "lines:/x")
        import s3prl_plugin; s3prl_plugin.register()
        for name in ("none", "bare", "fbank"):
            attempt(registry.check_upstream, name)
        """,
    )
    cure = "; mend or remove it (docs/extending.md)"
    form = "its entry point is 'theirs', and must be an identifier = 'package.module:function'"
    assert said == [
        f"corpus 'lines' of readers 1.0: readers.lines has no read{cure}",
        f"upstream 'none' of theirs 1.0: theirs has no none{cure}",
        f"upstream 'bare' of theirs 1.0: {form}",
        "fine: None",
    ]
    ours = [line for line in warned if line.startswith("[plugin]")]
    assert any(f"'bare' of theirs 1.0: {form} (left out)" in line for line in ours)
    assert any("'fbank' of theirs 1.0 wants a name that belongs to s3prl.upstream.baseline" in line for line in ours)
    assert len(ours) == 2


def test_a_package_whose_entry_points_cannot_be_read(site):
    site("garbled", "[s3prl_plugin.corpora]\nno equals sign\n")
    site("readers", "[s3prl_plugin.corpora]\nlines = readers.lines\n")
    said, (warned,) = told(site, "print(registry.corpora()['lines'])")
    assert said == ["readers.lines"]
    assert warned.startswith("[plugin] warning: garbled 1.0: its entry points cannot be read (TypeError")


@pytest.fixture
def at_hand(tmp_path, monkeypatch):
    """Files in a folder, and a flag that has loaded nothing yet."""
    monkeypatch.setattr(plugin_flag, "_given", {})
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(name, content):
        (tmp_path / name).write_text(content)
        return str(tmp_path / name)

    yield write
    for name in [name for name, module in sys.modules.items() if str(tmp_path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


def test_a_file_that_cannot_be_loaded_is_refused(at_hand, tmp_path):
    for word, reason in (
        (str(tmp_path / "absent.py"), "no such file"),
        ("no.such.module", r"cannot be imported \(ModuleNotFoundError"),
        (at_hand("unfinished.py", "def"), r"cannot be imported \(SyntaxError"),
        (at_hand("json.py", ""), r"another module is called 'json' .*; rename the file"),
        (
            at_hand("greedy.py", "from s3prl_plugin import registry\nregistry.add_downstream('cca', 'mine')\n"),
            "'cca' belongs to s3prl_plugin.downstream.cca, and mine wants the same name",
        ),
    ):
        with pytest.raises(UserError, match=f"^--plugin {word}: .*{reason}"):
            plugin_flag.load([word])
    assert plugin_flag.flags() == []


def test_a_file_is_loaded_once_and_again_by_its_flags(at_hand, capsys, monkeypatch):
    formats = registry.corpora()
    monkeypatch.setattr(registry, "_corpora", lambda: formats)
    code = "from s3prl_plugin import registry\nprint('run')\nregistry.add_corpus('own_lines', __name__)\nread = list\n"
    path = at_hand("own_lines.py", code)
    plugin_flag.load([path, path])
    plugin_flag.load(plugin_flag.flags()[1:])
    told = capsys.readouterr()
    assert told.out == "run\n"
    assert "adds nothing" not in told.err
    assert plugin_flag.flags() == ["--plugin", path]
    assert registry.reader("own_lines") is list
    assert registry.origin("corpus", "own_lines") == {}, "which the flag's own version says"
    (said,) = plugin_flag.versions().items()
    assert said[0] == "--plugin own_lines.py"
    assert plugin_flag.needed(["torch", "--plugin own_lines.py", "--plugin gone.py"]) == [
        *("--plugin", "gone.py"),
        *("--plugin", path),
    ]


def test_a_file_that_adds_nothing_is_told(at_hand, capsys):
    plugin_flag.load([at_hand("idle_code.py", "x = 1\n")])
    assert "idle_code.py: adds nothing" in capsys.readouterr().err


def test_options_of_another_package_are_its_own(monkeypatch):
    monkeypatch.setitem(registry._upstreams(), "theirs", "their_package:entry")
    for options in ({"dtype": "float16"}, {"stop_at": 3}, {"seed": 1}, {"pool": 2, "seed": 1}):
        assert foreign.asked_of("theirs", options) is None
    assert foreign.asked_of("theirs", {"pool_to": "mean:40"}).grid == pooling.parse("mean:40")
    with pytest.raises(UserError, match="pool_to must stand alone"):
        foreign.asked_of("theirs", {"pool_to": "mean:40", "stop_at": 3})
