"""Results of made-up upstreams, for the leaderboard's tests."""

from pathlib import Path

from s3prl_plugin.results import Row

SCORES = {
    "PR": [("per", "fraction")],
    "ASR": [("wer", "percent")],
    "KS": [("accuracy", "fraction")],
    "QbE": [("mtwv", "MTWV")],
    "SF": [("slot_type_f1", "fraction"), ("slot_value_cer", "fraction")],
}
LOWER = ("per", "wer", "slot_value_cer")


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
