#!/usr/bin/env bash
# Under pytest-xdist 3.8.0 (pytest 9.2.0, Python with GNU readline), os.environ has COLUMNS=80 in every worker although
# nothing set it and there is no terminal, so shutil.get_terminal_size(fallback=(200, 24)) says 80. Without -n: 200.
#
# pytest imports readline before it captures; GNU readline then puts COLUMNS and LINES into the environment of the
# process, behind the back of Python's os.environ. The process itself sees nothing, what it starts does: the workers. A
# test of text that is laid out for "no terminal" passes alone and with -n 0, and fails with -n 1.
#
# Seen:
#   alone: COLUMNS None, width 200
#   -n 1: COLUMNS 80, width 80
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pytest==9.2.0 pytest-xdist==3.8.0
cd "$work"
cat > test_width.py <<'PY'
import os
import pathlib
import shutil


def test_width():
    width = shutil.get_terminal_size(fallback=(200, 24)).columns
    pathlib.Path("seen").write_text(f"COLUMNS {os.environ.get('COLUMNS')}, width {width}")
PY
seen() {
    env -u COLUMNS -u LINES venv/bin/python -m pytest -q -p no:cacheprovider "$@" test_width.py </dev/null >log 2>&1
    cat seen
}
alone=$(seen)
workers=$(seen -n 1)
printf 'alone: %s\n-n 1: %s\n' "$alone" "$workers"
[ "$alone" = "COLUMNS None, width 200" ] && [ "$workers" = "COLUMNS 80, width 80" ]
