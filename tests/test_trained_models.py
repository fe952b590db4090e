"""What the small trained models have learned: more of phones than their own random weights show, on speech unheard."""

import pytest

from s3prl_plugin import results, run_downstream
from s3prl_plugin.inference.differences import difference
from s3prl_plugin.upstream.mr_hubert import packaged

pytestmark = pytest.mark.slow

CONFIG = """
downstream_expert:
  corpus: {corpus}
  measures: [cca_phone]
"""
RANDOM = "random_weights: true\n"


def best(folder):
    rows = [row for row in results.read(folder) if row.headline and row.value is not None]
    return max(rows, key=lambda row: row.value)


def analysed(name, corpus, folder, options=None):
    folder.mkdir()
    (folder / "cca.yaml").write_text(CONFIG.format(corpus=corpus))
    words = ["-m", "evaluate", "-d", "cca", "-c", str(folder / "cca.yaml"), "-u", name, "-p", str(folder / "out")]
    if options is not None:
        (folder / "options.yaml").write_text(options)
        words += ["-g", str(folder / "options.yaml")]
    assert run_downstream.main([*words, "--device", "cpu"]) == 0
    return best(folder / "out")


def check(name, corpus, folder):
    trained = analysed(name, corpus, folder / "trained")
    random = analysed(name, corpus, folder / "random", RANDOM)
    found = difference(trained, random)
    assert found.ci_low > 0, f"{name}: {trained.value:.3f} at {trained.tap}, random {random.value:.3f} at {random.tap}"


@pytest.mark.parametrize("name", packaged.names())
def test_phones_of_generated_speech(name, tmp_path):
    pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")
    check(name, "generated?voices=12&sentences=5", tmp_path)


def test_phones_of_real_speech(tmp_path, timit_sample):
    check("mr_hubert_tiny", f"manifest:{timit_sample}", tmp_path)
