"""What of an upstream is kept, cut, frozen or re-initialised around a tap: the options of fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.results import Row

WAYS: Mapping[str, str] = {
    "cut": "up to the tap all layers are trained, those above it are gone",
    "reset": "all layers are trained, those above the tap from random weights",
    "freeze": "up to the tap nothing is trained, the layers above it are",
}
WITHOUT = frozenset({"native", "stop_at", "freeze_to", "reset_top", "random_weights"})
"""Options of the analysed run that say something else than a written one does, or that heads cannot do with."""


def options_of(way: str, tap: Row, taps: Sequence[Row], run: Mapping[str, Any]) -> dict[str, Any]:
    """The options of one way of fine-tuning.

    Args:
        way: one of `WAYS`.
        tap: a row of the chosen one.
        taps: a row of every state tap, in the order of the network.
        run: the options of the run that was analysed; those that change the features are kept.

    Raises:
        UserError: there is nothing above the tap that could be done so, or the run does not show what is above it.
    """
    kept = carried(run)
    if way == "cut":
        return {**kept, "stop_at": tap.tap}
    above = layers_above(tap, taps, run)
    if not above:
        raise UserError(
            f"--fine-tune {way}: no layer lies above {tap.tap}; `--fine-tune cut` trains all layers up to it"
        )
    if way == "reset":
        return {**kept, "reset_top": len(above)}
    return {**kept, "freeze_to": tap.tap}


def carried(run: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run that another one needs to have the same features."""
    if run.get("random_weights"):
        return {name: value for name, value in run.items() if name not in WITHOUT - {"random_weights"}}
    return {name: value for name, value in run.items() if name not in WITHOUT}


def layers_above(tap: Row, taps: Sequence[Row], run: Mapping[str, Any]) -> list[str]:
    """The taps behind the transformer layers above a tap; what enters a block (`.pre`) is no layer.

    Raises:
        UserError: the results do not show every tap of the network.
    """
    places = [row.tap_index for row in taps]
    if run.get("stop_at") or places != list(range(len(places))):
        raise UserError(
            "the results do not show every tap of the network, so what lies above the chosen one is not known; "
            "analyse it without stop_at, or take `--fine-tune cut`"
        )
    above = [row for row in taps if (row.tap_index or 0) > (tap.tap_index or 0)]
    return [str(row.tap) for row in above if not str(row.tap).endswith(".pre")]
