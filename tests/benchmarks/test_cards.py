"""The section `measured` of a card: the best taps and paired differences of planted rows."""

import numpy as np
import pytest
import scipy.stats
import tap_rows
import yaml

from benchmarks import cards
from s3prl_plugin import results
from s3prl_plugin.errors import UserError

FOLDS = 8
NOISE = np.random.default_rng(0).normal(size=(3, FOLDS)) / 50


def planted(folder, level, other=0.0, **changes):
    """Two taps, the second of which is better by .1, with folds that share their noise with every other run."""
    rows = []
    for measure in cards.MEASURES:
        for index, tap in enumerate(("mid.pre", "mid.layer0")):
            per_fold = level + 0.1 * index + NOISE[0] + other * NOISE[1]
            rows.append(tap_rows.row(tap, index, per_fold, measure, score="r2", **changes))
    rows.append(tap_rows.row("mid.pre", 0, np.full(FOLDS, 3.21), cards.RANK, score="effective"))
    results.write(folder, rows)


@pytest.fixture
def out(tmp_path):
    for corpus in cards.CORPORA:
        planted(tmp_path / corpus / "small", 0.5, other=1.0)
        for run, level in (("small_random", 0.1), ("log_mel", 0.3), ("fbank", 0.55)):
            planted(tmp_path / corpus / run, level)
    return tmp_path


def test_best_taps_and_paired_differences(out):
    said = cards.measured(out, "small")["timit"]["cca_phone"]
    assert (said["this model"]["tap"], said["this model"]["score"]) == ("mid.layer0", "r2")
    assert said["this model"]["value"] == pytest.approx(0.6 + NOISE[:2].mean(axis=1).sum(), abs=6e-4)
    less = said["fbank with deltas (240)"]["this model less that"]
    differences = -0.05 + NOISE[1]  # what both share cancels
    assert less["value"] == pytest.approx(differences.mean(), abs=6e-4)
    # Nadeau and Bengio 2003: the variance of a mean over folds whose training data overlap
    error = np.sqrt((1 / FOLDS + 1 / (FOLDS - 1)) * differences.var(ddof=1))
    reach = scipy.stats.t.ppf(0.975, FOLDS - 1) * error
    assert less["interval"] == pytest.approx([differences.mean() - reach, differences.mean() + reach], abs=1.1e-3)


def test_directions_of_every_tap(out):
    assert cards.measured(out, "small")["generated"]["rank"] == {"mid.pre": 3.2}


def test_what_data_hardly_carry_is_a_line(out):
    planted(out / "timit" / "small", 0.5, grey="limited by data")
    said = cards.measured(out, "small")["timit"]["cca_word"]
    assert said.endswith("at mid.layer0, limited by data")


def test_only_the_last_section_of_a_card_is_written(out, tmp_path):
    card = tmp_path / "small.yaml"
    card.write_text("# a comment\nname: small\nmeasured:\n  old: 1\n")
    cards.write(card, cards.measured(out, "small"))
    assert card.read_text().startswith("# a comment\nname: small\nmeasured:\n  generated:\n")
    assert yaml.safe_load(card.read_text())["measured"] == cards.measured(out, "small")


def test_a_run_that_is_missing(tmp_path):
    with pytest.raises(UserError, match=r"generated/small.*no results|no rows"):
        cards.measured(tmp_path, "small")
