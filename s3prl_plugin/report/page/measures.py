"""What a measure is about, in a researcher's words, and for which tasks one looks at it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """A measure explained.

    Attributes:
        about: what of speech it is about.
        tasks: the tasks for which a layer is chosen by it; "" for none.
        rank: where it stands on the page.
    """

    about: str
    tasks: str
    rank: int


# by the part of a measure's name behind the underscore, in the order of the page
_ABOUT = {
    "phone": ("phones", "phone recognition (PR), query by example (QbE)"),
    "word": ("words", "speech recognition (ASR), intents and slots (IC, SF)"),
    "speaker": ("speakers", "speakers (SID, ASV, SD); not verified"),
    "mel": ("the spectrum (log-mel)", "enhancement, separation (SE, SS); weak evidence"),
    "agwe": ("how words sound (AGWE)", ""),
    "glove": ("what words mean (GloVe)", ""),
    "semantic": ("what words mean", ""),
    "syntactic": ("the grammar of words", ""),
    "frames": ("phones in single frames", ""),
    "intra": ("a base layer of the same model", ""),
    "inter": ("another model's layer", ""),
    "parity": ("place within a frame of the lowest rate", ""),
}
_WHOLE = {"rank": "how many directions the frames spread over"}  # measures of a single word
_KINDS = ("cca", "mi", "cka")
SCORES = {
    "r2": "share of the reference that the layer predicts linearly (mean squared canonical correlation); 0 to 1",
    "adjusted": "mutual information over the labels' entropy, adjusted for chance; 0 to 1",
    "cka": "centred kernel alignment, unbiased; 0 to 1",
    "pnmi": "phone-normalised mutual information of clusters; 0 to 1",
    "participation_ratio": "how many equally strong directions the frames' variance is worth",
    "r": "mean canonical correlation on held-out rows; rises with the amount of data",
    "pwcca": "projection-weighted canonical correlation",
    "mi_over_h": "mutual information over the labels' entropy, not adjusted",
}


def meaning(measure: str) -> Meaning:
    """What is known of a measure; of an unknown one its name alone."""
    if measure in _WHOLE:
        return Meaning(_WHOLE[measure], "", len(_KINDS) * len(_ABOUT) - 1)
    kind, _, suffix = measure.partition("_")
    kinds, suffixes = list(_KINDS), list(_ABOUT)
    if kind not in kinds or suffix not in suffixes:
        return Meaning(measure, "", len(kinds) * len(suffixes))
    about, tasks = _ABOUT[suffix]
    return Meaning(about, tasks if kind != "cka" else "", suffixes.index(suffix) * len(kinds) + kinds.index(kind))
