"""s3prl 0.4.18 on current libraries: shims, each in force only where something is missing.

One file per library healed. `install()` imports none of them: a shim acts when its library is first imported, so that
stock s3prl, untouched in site-packages, then finds what it was written for.
"""

from s3prl_plugin.compat.hooks import Healing, healed, note

_installed = False


def install() -> None:
    """Install the import hooks of every shim; calling it again changes nothing."""
    global _installed
    if _installed:
        return
    _installed = True
    from s3prl_plugin.compat import huggingface_hub, s3prl, torch, torchaudio, transformers

    for library in (torch, torchaudio, huggingface_hub, transformers, s3prl):
        library.install()


__all__ = ["Healing", "healed", "install", "note"]
