"""What the documentation claims, where no other test shows it."""

import statistics

import examples

from s3prl_plugin import corpora, registry

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
