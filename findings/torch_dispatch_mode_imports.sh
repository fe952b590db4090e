#!/usr/bin/env bash
# torch 2.13.0: the first operation under a TorchDispatchMode, so also under FlopCounterMode, and the making of an
# optimizer import torch._dynamo with hundreds of modules.
#
# The guess was: a mode that hands every operation on costs what calling a function costs. Its first operation imports
# the compiler (torch._dynamo and what it needs, over 700 modules, more than a second of the processor), though nothing
# is compiled. A tool that counts the multiply-accumulates of a model before it does its work waits longer for
# that than for the model; making torch.optim.SGD does the same. Counting by forward hooks imports nothing.
#
# Seen:
#   2.13.0 | dispatch mode: compiler imported, over 700 modules | optimizer: compiler imported | forward hooks: nothing
#
# Exit 0 while this holds, 1 when it changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q torch==2.13.0 numpy 2>"$work/pip.log" || { cat "$work/pip.log"; exit 2; }
cat >"$work/look.py" <<'PY'
import sys

import torch
from torch.utils.flop_counter import FlopCounterMode

layer, wave = torch.nn.Linear(4, 4), torch.zeros(2, 4)
before = len(sys.modules)


def imported():
    return "compiler imported" if "torch._dynamo" in sys.modules else "nothing"


if sys.argv[1] == "dispatch mode":
    with FlopCounterMode(display=False):
        layer(wave)
    print(f"dispatch mode: {imported()}{', over 700 modules' if len(sys.modules) - before > 700 else ''}", end=" | ")
elif sys.argv[1] == "optimizer":
    torch.optim.SGD(layer.parameters(), lr=0.1)
    print(f"optimizer: {imported()}", end=" | ")
else:
    layer.register_forward_hook(lambda *_: None)
    layer(wave)
    print(f"forward hooks: {imported()}")
PY
seen="2.13.0 | $(for way in "dispatch mode" optimizer hooks; do "$work/venv/bin/python" -W ignore "$work/look.py" "$way"; done)"
echo "$seen"
grep -qxF "#   $seen" "$0" && echo "as before"
