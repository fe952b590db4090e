"""The whole path on real, hand-labelled speech (NLTK's TIMIT sample), as a user runs it."""

import csv
import itertools
import random
import shutil

import entry_point
import pytest
import yaml
from scipy import stats

from s3prl_plugin import results

pytestmark = pytest.mark.slow

MEASURES = {"cca": ["cca_mel", "cca_intra", "cca_phone", "cca_word"], "mi": ["mi_phone", "mi_word"]}
TAPS = [f"{block}.{layer}" for block in ("enc0", "mid", "dec0") for layer in ("pre", "layer0", "layer1")]
TAPS += ["res_out0", "res_out1"]


def analyse(corpus, checkpoint, out, analyses, **options):
    """Run a suite of analyses; the rows by (measure, score, tap), and the file."""
    out.mkdir()
    config = {"suite": {"corpus": f"manifest:{corpus}", "analyses": analyses, **options}}
    (out / "suite.yaml").write_text(yaml.safe_dump(config))
    words = ["-m", "train", "-d", "suite", "-c", out / "suite.yaml", "-u", "mr_hubert_local", "-k", checkpoint]
    done = entry_point.run(*words, "-p", out, "--device", "cpu")
    assert done.returncode == 0, done.stderr[-3000:]
    return {(row.measure, row.score, row.tap): row for row in results.read(out)}


@pytest.fixture(scope="module")
def eight(timit_sample, small_checkpoint, tmp_path_factory):
    """Everything, in batches of eight."""
    out = tmp_path_factory.mktemp("real") / "eight"
    return analyse(
        timit_sample, small_checkpoint, out, {k: {"measures": v} for k, v in MEASURES.items()}, batch_size=8
    ), out


def test_every_tap_and_measure_has_a_number_or_a_stated_refusal(eight):
    rows, _ = eight
    for measures in MEASURES.values():
        for measure in measures:
            for tap in TAPS:
                (row,) = [r for r in rows.values() if r.headline and (r.measure, r.tap) == (measure, tap)]
                assert row.value is not None or len(row.refused) > 20
                assert row.corpus_kind == "real"
                assert (row.stride == 640) == (tap.startswith("mid") or tap == "res_out0")
    # 13 words have two tokens in three folds: hardly enough rows for a layer of 64 dimensions
    assert all(r.refused or r.grey for r in rows.values() if r.measure == "cca_word")
    # 38 classes of the 39-class set, without silence; 16 speakers in 8 folds
    phones = [r for r in rows.values() if r.measure == "cca_phone"]
    assert all((r.folds, r.split_by) == (8, "speaker") for r in phones)
    assert all(r.value is not None and r.ci_low > 0 for r in phones if r.score == "r2")


def test_a_second_run_gives_the_same_bits(eight, timit_sample, small_checkpoint, tmp_path):
    _, out = eight
    analyses = {k: {"measures": v} for k, v in MEASURES.items()}
    analyse(timit_sample, small_checkpoint, tmp_path / "again", analyses, batch_size=8)
    assert (tmp_path / "again" / "results.jsonl").read_bytes() == (out / "results.jsonl").read_bytes()


def test_batch_size_changes_nothing_beyond_rounding(eight, timit_sample, small_checkpoint, tmp_path):
    rows, _ = eight
    analyses = {"cca": {"measures": MEASURES["cca"], "intervals": "none"}, "mi": {"measures": ["mi_phone"]}}
    alone = analyse(timit_sample, small_checkpoint, tmp_path / "one", analyses, batch_size=1)
    asked = [*MEASURES["cca"], "mi_phone"]
    assert alone.keys() == {key for key in rows if key[0] in asked or key[0].startswith("grid_")}
    numbers = {(row.measure, row.tap) for row in alone.values() if row.headline and row.value is not None}
    assert numbers == set(itertools.product(asked, TAPS))
    for key, row in alone.items():
        other = rows[key]
        assert (row.value is None) == (other.value is None)
        if row.value is None:
            continue
        if row.measure.startswith("cca"):
            assert row.value == pytest.approx(other.value, abs=1e-4)
        elif row.score == "adjusted":
            # clusters are learned anew from states that differ by rounding: within the estimate's own uncertainty
            assert other.ci_low <= row.value <= other.ci_high


def interval_of_all(row):
    """A row's interval, widened so that those of all taps hold at once in 95 % of cases (Bonferroni)."""
    wider = stats.t.ppf(1 - 0.025 / len(TAPS), row.folds - 1) / stats.t.ppf(0.975, row.folds - 1)
    return row.value - wider * (row.value - row.ci_low), row.value + wider * (row.ci_high - row.value)


def test_labels_shuffled_within_the_corpus_give_zero(eight, timit_sample, small_checkpoint, tmp_path):
    folder = tmp_path / "shuffled"
    folder.mkdir()
    (folder / "audio").symlink_to(timit_sample.resolve() / "audio")
    shutil.copy(timit_sample / "utterances.tsv", folder)
    with (timit_sample / "phones.tsv").open(encoding="utf-8") as file:
        phones = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    silence = {"h#", "pau", "epi", "q"} | {f"{stop}cl" for stop in "bdgptk"}
    spoken = [phone for phone in phones if phone["label"] not in silence]
    labels = [phone["label"] for phone in spoken]
    random.Random(0).shuffle(labels)
    for phone, label in zip(spoken, labels, strict=True):
        phone["label"] = label
    with (folder / "phones.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, phones[0], delimiter="\t", quoting=csv.QUOTE_NONE)
        writer.writeheader()
        writer.writerows(phones)
    rows = analyse(folder, small_checkpoint, tmp_path / "out", {"cca": {"measures": ["cca_phone"]}}, batch_size=8)
    headlines = [row for row in rows.values() if row.headline]
    assert len(headlines) == len(TAPS)
    for row in headlines:
        low, high = interval_of_all(row)
        assert low <= 0 <= high, (row.tap, row.value, low, high)
        true = eight[0][row.measure, row.score, row.tap]
        assert interval_of_all(true)[0] > 0, "the very check that shuffled labels pass fails for the true ones"
        assert abs(row.value) < 0.1 * true.value
