"""What the documentation claims, where no other test shows it."""

import statistics

import examples

from s3prl_plugin import corpora, registry
from s3prl_plugin.inference import refusal

DOCS = examples.ROOT / "docs"


def test_half_of_the_phones_of_the_timit_sample_are_shorter_than_70_ms(timit_sample):
    """docs/theory/low_rates.md"""
    corpus = corpora.open_corpus(f"manifest:{timit_sample}")
    spoken = [p.end_s - p.start_s for u in corpus.utterances for p in u.phones if p.label not in corpus.silence]
    assert 0.060 < statistics.median(spoken) < 0.070


def test_the_guide_names_every_analysis():
    page = (DOCS / "guide" / "analyse.md").read_text()
    assert all(f"| `{name}` |" in page for name in registry.analyses())


def test_every_packaged_study_is_in_the_guide():
    pages = "".join(page.read_text() for page in (DOCS / "guide").glob("*.md"))
    for path in (examples.ROOT / "configs" / "suite").glob("*.yaml"):
        assert f"suite/{path.name}" in pages, path.name


def test_the_limits_of_refusals_are_those_of_the_code():
    page = (DOCS / "theory" / "refusals.md").read_text()
    for below, grey in (
        (f"below {refusal.EFFECTIVE_ROWS_REFUSED:g} effective rows", f"below {refusal.EFFECTIVE_ROWS_GREY:g} |"),
        (f"below {refusal.ROWS_PER_DIMENSION_REFUSED:g} rows", f"below {refusal.ROWS_PER_DIMENSION_GREY:g} |"),
        ("more than half of", f"more than {refusal.CHANCE_SHARE_GREY:g} of"),
    ):
        assert any(below in line and grey in line for line in page.splitlines()), below
    assert refusal.CHANCE_SHARE_REFUSED == 0.5
