"""Results of made-up upstreams, for the leaderboard's tests."""

from pathlib import Path

from s3prl_plugin.results import Row

SCORES = {
    "PR": [("per_71", "fraction")],
    "ASR": [("wer", "percent")],
    "KS": [("accuracy", "fraction")],
    "QbE": [("mtwv", "MTWV")],
    "SID": [("accuracy", "fraction")],
    "ASV": [("eer", "fraction")],
    "SD": [("der_collar_0", "fraction")],
    "IC": [("accuracy", "fraction")],
    "ER": [("accuracy", "fraction")],
    "SF": [("slot_type_f1", "fraction"), ("slot_value_cer", "fraction")],
}
LOWER = ("per_71", "wer", "slot_value_cer", "eer", "der_collar_0")
# the leaderboard's rows of HuBERT Base and Large
BASE = {"PR": 0.0541, "ASR": 6.42, "KS": 0.963, "QbE": 0.0736, "SID": 0.8142, "ASV": 0.0511, "SD": 0.0588}
BASE |= {"IC": 0.9834, "SF": (0.8853, 0.252), "ER": 0.6492}
LARGE = {"PR": 0.0353, "ASR": 3.62, "KS": 0.9529, "QbE": 0.0353, "SID": 0.9033, "ASV": 0.0598, "SD": 0.0575}
LARGE |= {"IC": 0.9876, "SF": (0.8981, 0.2176), "ER": 0.6762}


def run(upstream, values, seed=1, folder=None, **fields):
    """A folder and its rows; `values` are task -> its score, or all its scores, each in its own unit."""
    fields = {"corpus": "real one", "corpus_kind": "real", "published_corpus": True, **fields}
    fields = {"features": "hidden_states", "weights": "trained", **fields}
    rows = []
    for task, value in values.items():
        scores = zip(SCORES[task], value if isinstance(value, tuple) else (value,), strict=False)
        for (score, unit), number in scores:
            better = score not in LOWER
            rows.append(
                Row(
                    upstream=upstream,
                    measure=task,
                    score=score,
                    unit=unit,
                    higher_is_better=better,
                    headline=score != "slot_value_cer",
                    value=number,
                    seed=seed,
                    **fields,
                )
            )
    return Path(folder or f"{upstream}_{seed}"), rows
