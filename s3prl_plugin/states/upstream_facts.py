"""`upstream.json` in an experiment's folder: what the upstream is made of and how it was trained, from what was loaded.

Names are the user's and say nothing reliable about a checkpoint; these facts do, so that a report can say what two
models differ in. Reading them needs no torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.results import replace_file
from s3prl_plugin.states.taps import Tap

FILE_NAME = "upstream.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """What the upstream's forward passes took, measured during the run's own pass over its corpus.

    Attributes:
        groups: (seconds of audio, seconds of computing) of every tenth batch, from the first, the second, ...: runs
            over the same batches have comparable groups. The first batch, in which libraries warm up, is left out.
        batches: how many were measured.
        batch_size: utterances of the largest.
        device, device_name: "cpu" or "cuda", and which processor or card.
        threads: of torch, on a CPU.
        processes: of the run; what is measured is the share of the first.
    """

    groups: tuple[tuple[float, float], ...]
    batches: int
    batch_size: int
    device: str
    device_name: str
    threads: int
    processes: int = 1

    @property
    def audio_s(self) -> float:
        """Seconds of audio that were heard."""
        return sum(audio for audio, _ in self.groups)

    @property
    def seconds_per_second(self) -> float:
        """Seconds of computing for one second of audio."""
        return sum(took for _, took in self.groups) / self.audio_s

    @property
    def where(self) -> str:
        """The conditions, which must be the same for two measurements to be compared."""
        threads = f", {self.threads} thread{'s' * (self.threads != 1)}" if self.device == "cpu" else ""
        several = f", {self.processes} processes" if self.processes > 1 else ""
        return f"{self.device_name or self.device}{threads}, batches of {self.batch_size}{several}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an upstream.

    Attributes:
        upstream, checkpoint_sha256, weights, weights_id, train_step, params, macs_per_s, checkpoint, model_type,
            waveform_normalisation, pretraining, training_data, versions: as in the rows of the run.
        options: of the upstream (`-g`), those that differ from their defaults.
        taps: what was observed, under these options.
        architecture: what the loaded network is, whatever the options make of its output: of this plugin's upstreams
            every size, of others `kind` (the class that was loaded) and what was seen of them.
        training: how it was trained, as far as the checkpoint says; None where nothing is known, or the weights are
            random by an option. `loss_weights` is the weight of every prediction's cross-entropy, finest rate first,
            as fairseq computes it.
        forward: what its forward passes took; None where the run had none.
        identity: tells this upstream from any other; see `provenance.identity`.
    """

    upstream: str
    checkpoint_sha256: str | None = None
    weights: str | None = None
    weights_id: str | None = None
    train_step: int | None = None
    params: int | None = None
    macs_per_s: float | None = None
    checkpoint: str | None = None
    model_type: str | None = None
    waveform_normalisation: str | None = None
    pretraining: str | None = None
    training_data: str | None = None
    versions: Mapping[str, str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    taps: tuple[Tap, ...] = ()
    architecture: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] | None = None
    forward: Forward | None = None
    identity: Mapping[str, Any] | None = None

    @property
    def weights_digest(self) -> str | None:
        """What tells its weights from any others, as in the rows."""
        return self.weights_id or self.checkpoint_sha256


_OF_ROWS = (
    *("upstream", "checkpoint_sha256", "weights", "weights_id", "train_step", "params", "macs_per_s"),
    *("checkpoint", "model_type", "waveform_normalisation", "pretraining", "training_data", "versions"),
)


def of_upstream(
    model: Any,
    provided: Mapping[str, Any],
    taps: Sequence[Tap],
    forward: Forward | None = None,
    identity: Mapping[str, Any] | None = None,
) -> Facts:
    """The facts of an upstream that is loaded.

    Args:
        model: the upstream. Ours tell about themselves (`facts()`: architecture and training); of others the class is
            written, and what can be seen of their taps.
        provided: the fields of a results row that describe it.
        taps: what was observed.
        forward: what its forward passes took.
        identity: as `provenance.identity` has it.
    """
    model = getattr(model, "module", model)  # of DistributedDataParallel
    describe: Callable[[], dict[str, Any]] = getattr(model, "describe", dict)
    facts: Callable[[], tuple[Mapping[str, Any], Mapping[str, Any] | None]] | None = getattr(model, "facts", None)
    architecture, training = facts() if facts is not None else (_seen(model, taps), None)
    return Facts(
        **{name: provided.get(name) for name in _OF_ROWS},  # type: ignore[arg-type]
        options=describe().get("options") or {},
        taps=tuple(taps),
        architecture=architecture,
        training=training,
        forward=forward,
        identity=identity,
    )


def write(folder: str | Path, facts: Facts) -> Path:
    """Write the facts beside the results, whole or not at all.

    What an earlier run of the same upstream measured is kept where this one measured nothing.

    Returns:
        The file's path.
    """
    path = Path(folder) / FILE_NAME
    if facts.forward is None and path.is_file():
        try:
            before = read(folder)
        except UserError:
            before = None
        if before is not None and _content(replace(before, forward=None)) == _content(facts):
            return path
    replace_file(path, (json.dumps(_content(facts), indent=1, ensure_ascii=False) + "\n").encode())
    return path


def read(folder: str | Path) -> Facts | None:
    """The facts in a run's folder; of a study without analyses, those that its tasks wrote.

    Returns:
        None where there are none: the run is older than this file.

    Raises:
        UserError: the file is not one of facts.
    """
    folder = Path(folder)
    there = [folder / FILE_NAME, *sorted(folder.glob(f"seed*/{FILE_NAME}"))]
    path = next((path for path in there if path.is_file()), None)
    if path is None:
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = {f.name for f in fields(Facts)}
        said = {name: value for name, value in content.items() if name in known}
        forward = said.get("forward")
        if forward is not None:
            groups = tuple((float(audio), float(took)) for audio, took in forward["groups"])
            said["forward"] = Forward(**{**forward, "groups": groups})
        return Facts(**{**said, "taps": tuple(Tap.read(tap) for tap in said.get("taps", ()))})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"not the facts of an upstream ({error}); remove it and give the run's command again"
        raise UserError(f"{path}: {reason}") from None


def _seen(model: Any, taps: Sequence[Tap]) -> dict[str, Any]:
    """What can be said of the architecture of an upstream that does not tell about itself."""
    inner = getattr(model, "upstream", model)  # behind a grid
    kind = type(inner)
    return {"kind": f"{kind.__module__}.{kind.__qualname__}", "taps": len(taps), "dim": max(tap.dim for tap in taps)}


def _content(facts: Facts) -> dict[str, Any]:
    """As it stands in the file."""
    content = {**asdict(facts), "taps": [tap.written() for tap in facts.taps]}
    return json.loads(json.dumps(content))
