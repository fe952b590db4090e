"""A plugin for s3prl: multi-resolution upstreams, layer-wise analysis, and SUPERB tasks beside it.

Importing this package imports neither s3prl nor torch; `register()` makes the plugin's upstreams and downstreams
known to s3prl, and costs nothing until one of them is used.
"""

from collections.abc import Iterable as _Iterable
from pathlib import Path as _Path
from typing import Any as _Any

__version__ = "0.1.0"

# In a clone, ./s3prl_plugin is found before an installed copy and hides the halves that setup.cfg maps from the
# project's root (upstream/, downstream/, configs/): look for them there too.
_root = _Path(__file__).resolve().parent.parent
if (_root / "upstream").is_dir() and (_root / "setup.cfg").is_file():
    __path__.append(str(_root))


def register() -> None:
    """Make every upstream and downstream of this plugin known to s3prl.

    Installs import hooks only: the compatibility shims run when s3prl, transformers or torchaudio is first imported,
    the entries appear on `s3prl.hub` once it is loaded (at once if it already is). Calling it again changes nothing.

    Raises:
        UserError: an entry's name is already taken by s3prl; the message shows both owners.
    """
    from s3prl_plugin import registry

    registry.install()


def load_results(path: str | _Path | _Iterable[str | _Path], *, pandas: bool | None = None) -> _Any:
    """The results of runs as tidy records: one per number (or stated refusal of one).

    Args:
        path: the folder of a run, the folder of a study, a results.jsonl, or several of these.
        pandas: True for a DataFrame, False for a list of dictionaries; by default what is possible.

    Returns:
        The fields of `results.Row`, with `folder` before them, `resolution_ms` among them, and behind them what the
        `details` of any row say. In a DataFrame numbers
        are numbers, missing ones NaN or NA; folder, upstream, measure, score, tap and block are ordered categories,
        taps and blocks in execution order. A refused row has no `value` and says why in `refused`.

    Raises:
        UserError: there are no results at a path, or pandas is asked for and not installed.

    Examples:
        >>> import s3prl_plugin
        >>> results = s3prl_plugin.load_results("study_out", pandas=True)
        >>> rows = results.query("measure == 'cca_phone' and headline")
        >>> curves = rows.pivot_table(index="tap", columns="folder", values="value", observed=True)
        >>> curves.idxmax().to_dict()
        {'study_out/mr_hubert_tiny': 'mid.layer0', 'study_out/hubert_tiny': 'mid.layer3'}
        >>> len(results.query("refused.notna()"))
        0
    """
    from s3prl_plugin.inference import tidy

    return tidy.load([path] if isinstance(path, str | _Path) else path, pandas)


__all__ = ["__version__", "load_results", "register"]
