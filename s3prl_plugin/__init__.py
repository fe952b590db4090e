"""A plugin for s3prl: multi-resolution upstreams, layer-wise analysis, and SUPERB tasks beside it.

Importing this package imports neither s3prl nor torch; `register()` makes the plugin's upstreams and downstreams
known to s3prl, and costs nothing until one of them is used.
"""

from pathlib import Path as _Path

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


__all__ = ["__version__", "register"]
