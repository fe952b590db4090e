"""What an upstream, a downstream and a corpus must offer; docs/extending.md has one of each, complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

    from s3prl_plugin.corpora.corpus import Corpus
    from s3prl_plugin.states.taps import Tap


class UpstreamEntry(Protocol):
    """The function that an upstream's name stands for, as in s3prl's hubconf.py files."""

    def __call__(
        self, ckpt: str | None = None, model_config: str | None = None, refresh: bool = False, **kwargs: Any
    ) -> Upstream:
        """Load the upstream; a file that it would leave unread it should refuse, with a UserError of `errors`.

        Args:
            ckpt: the file or address given by `-k`.
            model_config: the file given by `-g`, with options that are the upstream's own business. One that holds
                `pool_to` or `random_weights` and no others is this plugin's: these work on any upstream.
            refresh: download again.

        Returns:
            A torch.nn.Module.
        """
        ...


class Upstream(Protocol):
    """An upstream: a torch.nn.Module as s3prl has it.

    Its dictionary may also hold `states` (`states.taps.States`), where layers have names, or rates of their own that
    differ; without, `hidden_states` become the taps layer0, layer1, ... Two more methods are optional:

    `describe()` returns what a results row says of the upstream, as far as it is known: `variant`, `checkpoint_sha256`,
        `weights` ("trained", "random"), `train_step`, `params`, `macs_per_s`, `pretraining`,
        `waveform_normalisation`, and `options`, those that differ from their defaults. Without it, parameters and
        multiply-accumulates are counted, normalisation by torch's layer_norm is seen, and the digest of `-g` stands for
        the options.
    `facts()` returns two mappings for the comparison of models, architecture and training (or None, where it is not
        known).
    """

    def __call__(self, wavs: Sequence[torch.Tensor]) -> Mapping[str, Any]:
        """The states of a batch.

        Args:
            wavs: per utterance, (L,) float32 samples at 16 kHz.

        Returns:
            `hidden_states`: per layer, (B, T, D), where T is that of the longest utterance.
        """
        ...

    def get_downsample_rates(self, key: str) -> int | list[int]:
        """Samples from one frame to the next of what stands under `key`; a list where it differs between layers."""
        ...


class Downstream(Protocol):
    """The class `DownstreamExpert` in the module `expert` of a downstream's package.

    Without `about.yaml` in its folder it is one as s3prl has it (see s3prl/downstream/example/expert.py): it is trained
    with `-m train -d NAME`, and its scores are its own business.

    With `about.yaml`, which says what its measures and scores are, and `config.yaml`, which has every option with its
    default, it is an analysis: alone with `-m evaluate -d NAME`, or in `suite.analyses`. It is then derived from
    `analysis.expert.AnalysisExpert`, which leaves it to say these three; `analysis.measure.Measure` is what it builds.
    """

    name: str
    known_measures: tuple[str, ...]

    def build(self, measures: Sequence[str]) -> list[Any]:
        """Ask `self.gathering` for statistics of the one pass, and return what makes rows of them.

        Args:
            measures: which of `known_measures` are wanted.
        """
        ...


class CorpusReader(Protocol):
    """The function `read` in the module of a corpus format."""

    def __call__(self, path: Path, **options: Any) -> Corpus:
        """Read a corpus; its audio stays on disk.

        Args:
            path: what stands behind the colon of FORMAT:PATH.
            options: by name, each with its type: what stands behind `?`. Those that choose a part of a corpus
                (`hours`, `speakers`, ...) are this plugin's.

        Raises:
            UserError: it cannot be read; of `errors`, in one line.
        """
        ...


class UpstreamPackage(Protocol):
    """What `upstream/<name>/entries.py` of this plugin offers without a network; the entries are in hubconf.py."""

    def names(self) -> Iterable[str]:
        """The entries."""

    def entries(self, in_full: bool = False) -> dict[str, dict[str, Any]]:
        """Each entry, with what `ls upstreams` shows of it: at least what it isolates."""

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise a UserError for an option that no entry has."""

    def entry_for(self, checkpoint: Path) -> str | None:
        """The entry that reads a checkpoint; None where it is of another kind."""

    def train_step(self, checkpoint: Path) -> int | None:
        """The training step that a checkpoint of this kind says."""

    def taps(self, entry: str, checkpoint: str | None, model_config: str | None) -> tuple[Tap, ...] | None:
        """The taps of an entry, where they are known without its network."""
