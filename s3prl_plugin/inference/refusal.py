"""When a number would mislead: it is refused with a reason, or shown grey."""

from __future__ import annotations

from dataclasses import dataclass

EFFECTIVE_ROWS_REFUSED = 1.3  # per dimension
EFFECTIVE_ROWS_GREY = 3.0
ROWS_PER_DIMENSION_REFUSED = 2.0
ROWS_PER_DIMENSION_GREY = 5.0
CHANCE_SHARE_GREY = 0.3
CHANCE_SHARE_REFUSED = 0.5


class Refused(ValueError):
    """A number that the data cannot support; the message is the reason and what would help, in one line."""

    @property
    def reason(self) -> str:
        """What a results row says in place of the number."""
        return str(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a number can be shown.

    Attributes:
        refused: why there is no number, and what would help; None where there is one.
        grey: why the number is barely supported; None where it is sound.
    """

    refused: str | None = None
    grey: str | None = None

    def check(self) -> None:
        """Raise the refusal, if it is one.

        Raises:
            Refused: with the verdict's reason.
        """
        if self.refused:
            raise Refused(self.refused)


def effective_limit(rows_per_dimension: float) -> Verdict:
    """Whether there are enough rows for a CCA.

    Args:
        rows_per_dimension: independent rows that the training rows are worth, per dimension.

    Returns:
        Refused below 1.3, grey below 3.
    """
    said = f"limited by data: {rows_per_dimension:.1f} effective training rows per dimension"
    if rows_per_dimension < EFFECTIVE_ROWS_REFUSED:
        return Verdict(
            refused=f"{said}, at least {EFFECTIVE_ROWS_REFUSED:g} needed; rows of one utterance repeat each other: "
            "more utterances and speakers, or a smaller model, would help"
        )
    if rows_per_dimension < EFFECTIVE_ROWS_GREY:
        return Verdict(grey=f"{said}, {EFFECTIVE_ROWS_GREY:g} wanted; more utterances and speakers would help")
    return Verdict()


def data_limit(n_train: int, d: int) -> Verdict:
    """Whether there are enough rows for a measure that cannot tell how many independent rows they are worth.

    Args:
        n_train: training rows (the smallest training set of the folds).
        d: the layer's dimension.

    Returns:
        Refused below 2 rows per dimension, grey below 5.
    """
    ratio = n_train / d
    if ratio < ROWS_PER_DIMENSION_REFUSED:
        return Verdict(
            refused=f"limited by data: {n_train} training rows for {d} dimensions ({ratio:.1f} per dimension, "
            f"at least {ROWS_PER_DIMENSION_REFUSED:g} needed); more utterances or a smaller model would help"
        )
    if ratio < ROWS_PER_DIMENSION_GREY:
        return Verdict(
            grey=f"limited by data: {ratio:.1f} training rows per dimension, {ROWS_PER_DIMENSION_GREY:g} wanted"
        )
    return Verdict()


def chance_limit(expected_share: float) -> Verdict:
    """Whether mutual information stands clear of what chance alone gives.

    Args:
        expected_share: expected MI of independent labels, over the label entropy (EMI / H).

    Returns:
        Grey above 0.3, refused above 0.5.
    """
    if expected_share > CHANCE_SHARE_REFUSED:
        return Verdict(
            refused=f"near chance: independent clusters alone would give MI/H = {expected_share:.2f} (at most "
            f"{CHANCE_SHARE_REFUSED:g} allowed); more tokens, or fewer clusters or classes would help"
        )
    if expected_share > CHANCE_SHARE_GREY:
        return Verdict(grey=f"limited by data: independent clusters alone would give MI/H = {expected_share:.2f}")
    return Verdict()
