"""Any corpus with words in the layout of QUESST 2014, which s3prl's query-by-example task reads.

Audio/quesst14_00001.wav                               utterances to be searched
dev_queries/quesst14_dev_0001.wav, eval_queries/...    words, cut from other speakers' utterances
scoring/language_key_utterances.lst, language_key_dev.lst, language_key_eval.lst
scoring/groundtruth_quesst14_dev/quesst14_dev.rttm, .tlist.xml, .ecf.xml      which utterances hold which query
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Corpus, Segment, Utterance
from s3prl_plugin.corpora.generated.layouts import layout
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import SAMPLE_RATE

LANGUAGE = "nnenglish"  # the only one that SUPERB's task looks at
PARTS = ("dev", "eval")
_MOST_DOCUMENTS, _MOST_QUERIES = 40, 8
_SHORTEST_QUERY_S = 0.25
_LEAST_FOUND, _MOST_FOUND = 1, 0.25  # a query is in that many documents at least, and in no larger fraction of them


def write(corpus: Corpus, folder: str | Path, skips: Skips | None = None) -> Path:
    """Lay a corpus out for query by example: half of the speakers are searched, the others say the queries.

    Args:
        corpus: two speakers or more, with words that both halves of them say.
        folder: to be made; one that already holds this corpus's layout is kept.
        skips: collects the utterances whose audio turns out to be bad.

    Returns:
        The folder (s3prl's `dataset_root`).

    Raises:
        UserError: too few speakers or common words, or the folder holds something else.
    """
    return layout.write_once("quesst14", corpus, folder, lambda to, left_out: _fill(corpus, to, left_out), skips)


def _fill(corpus: Corpus, folder: Path, left_out: Skips) -> None:
    """Choose documents and queries, cut the queries out, and write the tables."""
    speakers = list(layout.by_speaker(corpus).values())
    searched = [utterance for said in zip(*speakers[::2], strict=False) for utterance in said]
    documents = dict(_documents(searched, folder, left_out))
    asked = [utterance for said in speakers[1::2] for utterance in said]
    queries = _queries(asked, documents)
    if len(queries) < len(PARTS) or not documents:
        raise UserError(
            f"{corpus.name}: no words of {_SHORTEST_QUERY_S} s or more that are said by one half of the speakers and "
            "now and then by the other; query by example needs a larger corpus, or leave the task out"
        )
    scoring = folder / "scoring"
    scoring.mkdir()
    keys = [f"quesst14Database/Audio/{name}.wav {LANGUAGE}" for name in documents]
    (scoring / "language_key_utterances.lst").write_text("\n".join(keys) + "\n", encoding="utf-8")
    for number, part in enumerate(PARTS):
        chosen = dict(list(queries.items())[number :: len(PARTS)][:_MOST_QUERIES])
        _write_part(part, chosen, documents, folder, left_out)


def _documents(searched: Sequence[Utterance], folder: Path, left_out: Skips) -> Iterator[tuple[str, Utterance]]:
    """Put the utterances to be searched in their places."""
    count = 0
    for utterance in searched:
        if count == _MOST_DOCUMENTS:
            return
        name = f"quesst14_{count + 1:05d}"
        try:
            layout.place(utterance, folder / "Audio" / f"{name}.wav")
        except audio.BadAudio as bad:
            left_out.add(bad.reason, utterance.name)
            continue
        count += 1
        yield name, utterance


def _queries(asked: Sequence[Utterance], documents: Mapping[str, Utterance]) -> dict[str, tuple[Utterance, Segment]]:
    """Words that some documents hold, each with one place where another speaker says it."""
    said = [{word.label for word in utterance.words} for utterance in documents.values()]
    found: dict[str, tuple[Utterance, Segment]] = {}
    for utterance in asked:
        for word in utterance.words:
            holding = sum(word.label in words for words in said)
            long = word.end_s - word.start_s >= _SHORTEST_QUERY_S
            if long and _LEAST_FOUND <= holding <= _MOST_FOUND * len(said):
                found.setdefault(word.label, (utterance, word))
    return dict(sorted(found.items()))


def _write_part(
    part: str,
    queries: Mapping[str, tuple[Utterance, Segment]],
    documents: Mapping[str, Utterance],
    folder: Path,
    left_out: Skips,
) -> None:
    """The queries of one part, and what is to be found for them."""
    names: dict[str, str] = {}
    for word, (utterance, segment) in queries.items():
        name = f"quesst14_{part}_{len(names) + 1:04d}"
        try:
            samples = audio.load(utterance)
        except audio.BadAudio as bad:
            left_out.add(bad.reason, utterance.name)
            continue
        cut = samples[round(segment.start_s * SAMPLE_RATE) : round(segment.end_s * SAMPLE_RATE)]
        layout.save(cut, folder / f"{part}_queries" / f"{name}.wav")
        names[name] = word
    keys = "".join(f"quesst14Database/{part}_queries/{name}.wav {LANGUAGE}\n" for name in names)
    (folder / "scoring" / f"language_key_{part}.lst").write_text(keys, encoding="utf-8")
    truth = folder / "scoring" / f"groundtruth_quesst14_{part}"
    truth.mkdir()
    lines = [
        f"LEXEME {document} 1 0.000 {utterance.duration_s:.3f} {name} lex <NA> <NA> <NA>\n"
        for name, word in names.items()
        for document, utterance in documents.items()
        if any(segment.label == word for segment in utterance.words)
    ]
    (truth / f"quesst14_{part}.rttm").write_text("".join(lines), encoding="utf-8")
    _write_lists(truth / f"quesst14_{part}", names, documents)


def _write_lists(stem: Path, names: Mapping[str, str], documents: Mapping[str, Utterance]) -> None:
    """All queries and all documents, in the formats of NIST's spoken term detection."""
    terms = ElementTree.Element("termlist", ecf_filename=f"{stem.name}.ecf.xml", language="english", version="1")
    for name, word in names.items():
        ElementTree.SubElement(ElementTree.SubElement(terms, "term", termid=name), "termtext").text = word
    duration = sum(utterance.duration_s for utterance in documents.values())
    excerpts = ElementTree.Element("ecf", source_signal_duration=f"{duration:.3f}", language="english", version="1")
    for document, utterance in documents.items():
        span = {"tbeg": "0.000", "dur": f"{utterance.duration_s:.3f}"}
        attributes = {"audio_filename": f"{document}.wav", "channel": "1", **span, "source_type": "splitcts"}
        ElementTree.SubElement(excerpts, "excerpt", attributes)
    for tree, suffix in ((terms, "tlist"), (excerpts, "ecf")):
        ElementTree.ElementTree(tree).write(f"{stem}.{suffix}.xml", encoding="UTF-8", xml_declaration=True)
