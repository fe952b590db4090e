"""What one second of audio costs any upstream, in multiply-accumulates: counted while it runs."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from weakref import WeakKeyDictionary

import torch
from torch.utils import flop_counter

from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.states.trial import hear_noise

_counted: WeakKeyDictionary[torch.nn.Module, float | None] = WeakKeyDictionary()


def for_one_second(model: torch.nn.Module) -> float | None:
    """The multiply-accumulates of one second of audio, alone in its batch.

    Those of convolutions, linear layers, attention, recurrent layers and other matrix products; not those of Fourier
    transforms and of what is done element by element. Counted once per upstream. Random states, and whether the
    upstream is training, stay as they are.

    Args:
        model: an upstream of s3prl's hub.

    Returns:
        None, after a line on stderr, where it cannot be counted.
    """
    model = getattr(model, "module", model)  # DistributedDataParallel would wait for the other processes
    if model not in _counted:
        try:
            _counted[model] = _count(model)
        except Exception as error:  # whatever an upstream does with a second of noise, the run is not about this number
            reason = str(error).partition("\n")[0] or type(error).__name__
            print(f"[upstream] its multiply-accumulates could not be counted ({reason})", file=sys.stderr)
            _counted[model] = None
    return _counted[model]


def _count(model: torch.nn.Module) -> float:
    """Half of the floating-point operations of a forward pass."""
    with _countable(), flop_counter.FlopCounterMode(display=False) as counter:
        hear_noise(model)
    return counter.get_total_flops() / 2


@contextmanager
def _countable() -> Iterator[None]:
    """Inside the block everything runs as the products that it consists of: the counter does not see into the fused
    kernels for recurrent layers, attention and whole transformer layers."""
    fastpath = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # about the settings of hardware that is not there
        stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH))
        stack.callback(torch.backends.mha.set_fastpath_enabled, fastpath)
        torch.backends.mha.set_fastpath_enabled(False)
        mode = flop_counter._FlopCounterMode
        # torch wraps it to keep torch.compile out, which is not here and takes seconds to import
        stack.enter_context(replaced(mode, __torch_dispatch__=inspect.unwrap(mode.__torch_dispatch__)))
        yield
