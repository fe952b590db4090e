"""A second upstream that hears the same batches, so that the taps of two models can be compared frame by frame."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
import yaml

from s3prl_plugin import ranks, registry, results
from s3prl_plugin.analysis.one_pass.gathering import Seen, Statistic
from s3prl_plugin.random_state import RandomState
from s3prl_plugin.states import foreign, provenance, upstream_files
from s3prl_plugin.states.featurizer import StatesFeaturizer
from s3prl_plugin.states.taps import States, Tap

SHORT = 8

_loaded: WeakValueDictionary[str, SecondUpstream] = WeakValueDictionary()


class SecondUpstream:
    """A frozen upstream beside that of the run.

    Args:
        name: of it in results, as `upstream2`.
        digest: tells it, its weights and its options, from any other.
        model: any upstream of s3prl's hub.
        device: where it lives.

    Attributes:
        name, digest: as given.
        taps: what it exposes.
    """

    def __init__(self, name: str, digest: str, model: torch.nn.Module, device: str | torch.device = "cpu"):
        self.name = name
        self.digest = digest
        self._model = model.eval()
        self._featurizer = StatesFeaturizer(model, device)
        self.taps: tuple[Tap, ...] = self._featurizer.taps

    def __call__(self, waveforms: Sequence[torch.Tensor]) -> States:
        """The States of a batch."""
        with torch.no_grad():
            return self._featurizer.of(self._model, list(waveforms))


def of_second(statistic: Statistic, second: SecondUpstream) -> Seen:
    """A statistic of a second upstream's States, gathered in the pass of the first."""
    return Seen(statistic, lambda batch: batch.seen_by(second), f", of upstream {second.digest}")


def load(
    upstream: str, checkpoint: str | None, options: Mapping[str, Any], device: str | torch.device
) -> SecondUpstream:
    """An upstream of s3prl's hub, loaded once for all analyses of a run.

    Nothing else of the run changes by it: the random state is as it was.

    Args:
        upstream: the entry, as in `-u`.
        checkpoint: as in `-k`.
        options: what a file given by `-g` would hold.
        device: where it shall live.

    Raises:
        UserError: there is no such entry or option, or its checkpoint cannot be used.
    """
    key = json.dumps([upstream, checkpoint, dict(options), str(device)], sort_keys=True, default=str)
    if key in _loaded:
        return _loaded[key]
    upstream, checkpoint = check({"upstream": upstream, "checkpoint": checkpoint, "options": options})
    before = RandomState.capture()
    if not ranks.leads():  # the first process downloads
        ranks.wait()
    with _as_file(options) as path:
        with upstream_files.loading(upstream, checkpoint) as loading:
            model = _model(upstream, checkpoint, options, path, device)
        loading.check(model)
        identity = provenance.identity(model, upstream, checkpoint, path)
        described = provenance.of_upstream(model, argparse.Namespace(upstream=upstream, upstream_model_config=path))
    if ranks.leads():
        ranks.wait()
    digest = results.digest(identity)
    second = SecondUpstream(name_of(described), digest, model, device)
    before.restore()
    _loaded[key] = second
    return second


def check(given: Mapping[str, Any]) -> tuple[str, str | None]:
    """Refuse an upstream that cannot be loaded, as far as that costs nothing.

    Args:
        given: `upstream`, `checkpoint` and `options`, the last two where there are any.

    Returns:
        The entry and its checkpoint.

    Raises:
        UserError: there is no such entry, option or file.
    """
    upstream, checkpoint = registry.named(given["upstream"], given.get("checkpoint"))
    registry.check_upstream(upstream)
    foreign.check_options(upstream, given.get("options") or {})
    upstream_files.check(upstream, checkpoint)
    return upstream, checkpoint


def name_of(described: Mapping[str, Any]) -> str:
    """The name of an upstream where a row has one field for it: with the first letters of its weights' digest.

    Args:
        described: the row fields of an upstream; see `provenance.of_upstream`.
    """
    digest = described.get("checkpoint_sha256") or described.get("weights_id")
    if described.get("upstream_config"):  # options that the upstream reads itself, and does not tell
        digest = results.digest(described["upstream_config"], digest)
    return str(described["upstream"]) + (f"@{digest[:SHORT]}" if digest else "")


@contextmanager
def _as_file(options: Mapping[str, Any]) -> Iterator[str | None]:
    """Inside the block, options lie in a file as `-g` would name one; None where there are none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "options.yaml"
        if options:
            path.write_text(yaml.safe_dump(dict(options)), encoding="utf-8")
        yield str(path) if options else None


def _model(
    upstream: str, checkpoint: str | None, options: Mapping[str, Any], file: str | None, device: str | torch.device
) -> torch.nn.Module:
    """The upstream, as a run of its own would have it."""
    from s3prl import hub

    entry = getattr(hub, upstream)
    asked = foreign.asked_of(upstream, options)
    if asked is not None:
        with asked.loading(upstream):
            return asked.applied(entry(ckpt=checkpoint, model_config=None).to(device), device)
    return entry(ckpt=checkpoint, model_config=file).to(device)
