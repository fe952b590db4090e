"""From espeak-ng's events to phones that tile the audio, and words made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.corpora.generated.espeak import Event

SILENCE = "sil"
_STRESS = "ˈˌ'"
_STOPS = ("p", "t", "k", "b", "d", "ɡ", "g", "ʔ")  # affricates begin with one of them
_FAINT = 40  # of 32767: what a closure may hold
_LONGEST_CLOSURE_S = 0.1
_SHORTEST_PHONE_S = 0.002  # less is no span at all: such events lie on the next one or a sample before it
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


@dataclass(slots=True)
class Span:
    """A labelled stretch, in samples; `word` is the token that a phone belongs to, None in silence."""

    start: int
    end: int
    label: str
    word: int | None = None


def phones_and_words(
    events: Sequence[Event], samples: np.ndarray, sample_rate: int, text: str
) -> tuple[list[Span], list[Span]]:
    """Align what was said.

    A phone lasts until the next event of any kind. Between a word's event and its first phone there may be a gap: the
    phone before it goes on where the gap sounds ("queen | enjoyed"), else it is silence. A stop's event marks its
    burst, so its start moves back over the closure. A phone that is left without a span (mostly l after a vowel, which
    espeak-ng sounds within the vowel) is left out. Words run from their first phone to their last, since a word's own
    event can come early; words that espeak-ng reports under one event ("in the") are left out.

    Args:
        events: beginnings of words and phones, in order.
        samples: (L,) int16, what was spoken.
        sample_rate: in Hz.
        text: what was to be said.

    Returns:
        Phones, which cover the samples from first to last without gap or overlap, and words, in lower case.
    """
    token_at = {match.start(): i for i, match in enumerate(_WORD.finditer(text))}
    loud = np.abs(samples.astype(np.int32)) > _FAINT
    shortest, longest = int(_SHORTEST_PHONE_S * sample_rate), int(_LONGEST_CLOSURE_S * sample_rate)
    phones = _without_spanless(_tile(events, loud, token_at), shortest)
    phones = _without_spanless(_with_closures(phones, loud, longest), shortest)
    return phones, _words(phones, [event.position for event in events if event.phone is None], text)


def _tile(events: Sequence[Event], loud: np.ndarray, token_at: dict[int, int]) -> list[Span]:
    """Phones, some of them empty, and silences, from the first sample to the last."""
    spans: list[Span] = []
    reached = 0
    word = None
    ends = [event.sample for event in events[1:]] + [len(loud)]
    for event, end in zip(events, ends, strict=True):
        if event.phone is None:
            word = token_at.get(event.position)
            continue
        if event.sample > reached:
            if spans and loud[reached : event.sample].mean() > 0.5:
                spans[-1].end = event.sample
            else:
                spans.append(Span(reached, event.sample, SILENCE))
        label = event.phone.strip(_STRESS)
        if label and not label.startswith("_"):
            spans.append(Span(event.sample, end, label, word))
        elif end > event.sample:
            spans.append(Span(event.sample, end, SILENCE))
        reached = end
    if len(loud) > reached:
        spans.append(Span(reached, len(loud), SILENCE))
    return spans


def _without_spanless(spans: Sequence[Span], shortest: int) -> list[Span]:
    """Spans less the phones too short to be any, whose time goes to what comes before them."""
    kept: list[Span] = []
    for span in spans:
        if kept and span.label != SILENCE and span.end - span.start < shortest:
            kept[-1].end = span.end
        else:
            kept.append(span)
    return kept


def _with_closures(phones: Sequence[Span], loud: np.ndarray, longest: int) -> list[Span]:
    """Phones with the start of every stop moved back over the silence before its burst."""
    for i, stop in enumerate(phones):
        if not stop.label.startswith(_STOPS):
            continue
        earliest = max(0, stop.start - longest)
        heard = np.flatnonzero(loud[earliest : stop.start])
        stop.start = earliest + int(heard[-1]) + 1 if len(heard) else earliest
        for before in reversed(phones[:i]):
            if before.end <= stop.start:
                break
            before.end = stop.start
    return [phone for phone in phones if phone.end > phone.start]


def _words(phones: Sequence[Span], reported: Sequence[int], text: str) -> list[Span]:
    """The spans of the words that espeak-ng reported one by one."""
    tokens = list(_WORD.finditer(text))
    alone = {
        i
        for i, token in enumerate(tokens)
        if token.start() in reported and (i + 1 == len(tokens) or tokens[i + 1].start() in reported)
    }
    spans: dict[int, Span] = {}
    for phone in phones:
        if phone.word is None or phone.word not in alone:
            continue
        label = tokens[phone.word].group().lower()
        span = spans.setdefault(phone.word, Span(phone.start, phone.end, label, phone.word))
        span.end = phone.end
    return [spans[i] for i in sorted(spans)]
