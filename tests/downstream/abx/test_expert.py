"""`-d abx` on planted corpora: against abx_error on the files it writes, against what was planted, and its refusals."""

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import planted
import pytest
import torch

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.abx import abx_error, items
from s3prl_plugin.downstream.abx.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.select import choice
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 8),
    Tap(1, "mid.layer0", "mid", "layer0", 1280, 8),
    Tap(2, "dec0.layer0", "dec0", "layer0", 320, 8),
)
FEATURES = (planted.phonetic(1.0), planted.phonetic(0.7), planted.noise)


def expert(corpus, out, taps=TAPS, seed=0, only=None, **options):
    return DownstreamExpert(
        upstream_dim=8,
        upstream_rate=320,
        downstream_expert={**options, "taps": only},
        expdir=str(out),
        taps=taps,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, seed, shared_texts=options.get("shared_texts", "leave_out"))),
        seed=seed,
    )


def by_key(made):
    made.log_records("test", records={}, logger=None, global_step=0)
    return {(r.tap, r.measure, r.score, r.subset, r.control): r for r in made.rows}


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=3, phones_each=18)


@pytest.fixture(scope="module")
def found(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("abx")
    made = expert(corpus, out, x_speakers=None, write_features=True)
    planted.feed(made, FEATURES)
    return made, out, by_key(made)


@pytest.mark.parametrize("tap", TAPS, ids=lambda tap: tap.name)
def test_the_files_it_writes_give_its_errors(found, tap):
    _, out, rows = found
    folder = out / "features"
    written = {path.stem: torch.load(path) for path in (folder / tap.name).glob("*.pt")}
    for unit in ("phone", "word"):
        for speaker in ("within", "across"):
            told = abx_error(written, folder / f"{unit}_any.item", str(16000 / tap.stride), speaker)
            row = rows[tap.name, f"abx_{unit}", "error", speaker, "any"]
            assert told.dropped == {"without a frame": 0, "past the features": 0}
            assert row.value == pytest.approx(told.error, abs=1e-6)
            assert row.n == told.cells.triplets.sum()
            weighted = rows[tap.name, f"abx_{unit}", "weighted", speaker, "any"]
            assert weighted.value == pytest.approx(told.weighted, abs=1e-6)


def test_phones_that_were_planted_are_told_apart_and_noise_is_chance(found):
    _, _, rows = found
    for speaker in ("within", "across"):
        phones = {tap.name: rows[tap.name, "abx_phone", "error", speaker, "any"] for tap in TAPS}
        assert phones["enc0.pre"].ci_high < 0.2
        noise = phones["dec0.layer0"]
        assert noise.chance_low < noise.value < noise.chance_high
        for row in phones.values():
            assert row.chance == pytest.approx(0.5, abs=0.06)
            assert (row.permutations, len(row.replicates), row.higher_is_better) == (10, 8, False)


def test_one_row_of_a_measure_and_tap_is_the_headline(found):
    made, _, rows = found
    headlines = [row for row in made.rows if row.headline]
    assert {(row.subset, row.control, row.score) for row in headlines} == {("across", "any", "error")}
    assert len(headlines) == 2 * len(TAPS)
    chosen = choice.choose(made.rows, "abx_phone")
    assert chosen.best.value == min(rows[t.name, "abx_phone", "error", "across", "any"].value for t in TAPS)


def test_taps_are_scored_on_the_tokens_all_keep_and_beside_it_on_their_own(found):
    made, _, rows = found
    n = {tap.name: rows[tap.name, "abx_phone", "error", "across", "any"].n for tap in TAPS}
    assert len(set(n.values())) == 1
    assert rows["enc0.pre", "abx_phone", "error", "across, own tokens", "any"].n > n["enc0.pre"]
    short = Counter()
    for utterance in made.plan.corpus.utterances:
        for phone in planted.corpus(8, 3, 18).utterances[made.plan.corpus.utterances.index(utterance)].phones:
            start, end = round(phone.start_s * 16000), round(phone.end_s * 16000)
            if phone.label != "sil":
                short[not any(start <= (i + 0.5) * 1280 <= end for i in range(60))] += 1
    assert short[True] > 10
    task = made.measures[0].tasks[0]
    assert (~task.candidates.have_frames([1280])).sum() == short[True]
    assert (~task.candidates.have_frames([320])).sum() == 0


def test_tokens_are_drawn_by_what_they_are(corpus, tmp_path, found):
    task = found[0].measures[0].tasks[0]
    of = task.candidates
    assert max(Counter(zip(of.speaker[task.common], of.label[task.common], strict=True)).values()) == 5
    other = expert(corpus, tmp_path, taps=TAPS[1:2], measures=["abx_phone"]).measures[0].tasks[0]
    assert np.array_equal(other.common, task.common), "a model of 80 ms alone keeps the same"
    again = expert(corpus, tmp_path, seed=1, measures=["abx_phone"]).measures[0].tasks[0]
    assert not np.array_equal(again.common, task.common)
    fine = expert(corpus, tmp_path, taps=TAPS[:1], measures=["abx_phone"], frames_at_ms=[80]).measures[0].tasks[0]
    assert np.array_equal(fine.common, task.common), "a finer model that is asked for frames at 80 ms"


def test_numbers_of_some_taps_are_those_of_all(corpus, tmp_path):
    def cut(utterance, tap, frames):
        return planted.noise(utterance, tap, frames)[:-10]

    features = (FEATURES[0], FEATURES[1], cut)
    found = []
    for only in (None, ["enc0.pre"]):
        made = expert(corpus, tmp_path, measures=["abx_phone"], context=["any"], only=only)
        planted.feed(made, features)
        found.append(by_key(made))
    assert {key for key in found[0] if key[0] == "enc0.pre"} == set(found[1])
    assert all(found[0][key].value == row.value for key, row in found[1].items())


def test_batches_saving_and_merging_change_nothing(corpus, tmp_path, found):
    whole = found[2]
    halves = [expert(corpus, tmp_path / str(i), x_speakers=None) for i in range(2)]
    positions = halves[0].plan.needed.tolist()
    for i, half in enumerate(halves):
        missing = [p for p in positions if p % 2 != i]
        planted.feed(half, FEATURES, batch_size=3, missing=missing)
    first = expert(corpus, tmp_path / "both", x_speakers=None)
    first.gathering.load_state_dict(halves[0].gathering.state_dict())
    first.gathering.merge(halves[1].gathering.state_dict())
    rows = by_key(first)
    assert {key: row.value for key, row in rows.items()} == {key: row.value for key, row in whole.items()}


def test_tokens_past_the_frames_are_left_out_and_said(corpus, tmp_path, capsys):
    def cut(utterance, tap, frames):
        return planted.noise(utterance, tap, frames)[:-10]

    made = expert(corpus, tmp_path, measures=["abx_phone"], taps=TAPS[:1], context=["any"], tokens=None)
    planted.feed(made, (cut,))
    kept = made.measures[0].kept
    wanted = 0
    for utterance in corpus.utterances:
        frames = planted.frames_at(utterance, TAPS[0]) - 10
        ends = [round(p.end_s * 16000) for p in utterance.phones if p.label != "sil"]
        wanted += sum(any((i + 0.5) * 320 <= end for i in range(frames, frames + 40)) for end in ends)
    by_key(made)
    assert kept.past.sum() == wanted > 0
    assert f"past the frames, which are left out: {wanted} at 20 ms" in capsys.readouterr().out


def test_what_cannot_be_compared_is_refused(tmp_path):
    cases = [
        (planted.corpus(1, 8), {}, "across", "one speaker"),
        (planted.corpus(8, 3, phones=False), {}, "across", "no phone times"),
        (planted.corpus(8, 3, phones_each=3), {"tokens": 2}, "within", "triplet within speakers"),
    ]
    for number, (some, options, subset, said) in enumerate(cases):
        made = expert(some, tmp_path / str(number), measures=["abx_phone"], taps=TAPS[:1], **options)
        planted.feed(made, FEATURES[:1])
        rows = by_key(made)
        control = "any" if subset == "across" else "triphone"
        assert said in rows["enc0.pre", "abx_phone", "error", subset, control].refused
    for options in ({"frames_at_ms": 40}, {"tokens": 1}, {"context": ["all"]}):
        with pytest.raises(UserError, match="downstream_expert"):
            expert(planted.corpus(8, 3), tmp_path, **options)


def test_texts_that_all_say_are_left_out_however_folds_are_split(tmp_path):
    some = planted.corpus(4, 4, shared_sentence=True)
    task = expert(some, tmp_path, measures=["abx_phone"]).measures[0].tasks[0]
    said = {some.utterances[u].sentence for u in task.candidates.utterance}
    assert "the same" not in said
    kept = expert(some, tmp_path, measures=["abx_phone"], shared_texts="keep").measures[0].tasks[0]
    assert "the same" in {some.utterances[u].sentence for u in kept.candidates.utterance}


def test_triphones_reach_over_their_neighbours(corpus, tmp_path):
    made = expert(
        corpus, tmp_path, measures=["abx_phone"], taps=TAPS[:1], context=["triphone"], triphones=True, tokens=None,
        write_features=True, x_speakers=None,
    )  # fmt: skip
    planted.feed(made, FEATURES[:1])
    made.log_records("test")
    found = items.read(tmp_path / "features" / "phone_in_triphones_triphone.item")
    phones = {u.name: u.phones for u in corpus.utterances}
    wanted = [
        (name, b.label, a.label, c.label, round(a.start_s * 16000), round(c.end_s * 16000))
        for name, said in phones.items()
        for a, b, c in zip(said, said[1:], said[2:], strict=False)
        if b.label != "sil"
    ]
    told = [(i.file, i.label, i.before, i.after, i.onset * 16000, i.offset * 16000) for i in found]
    inside = [each for each in wanted if each in told]
    assert told == inside
    assert len(told) > 0.8 * len(wanted), "but for those past the frames"
    assert {row.segments for row in made.rows} == {"triphone"}


def test_labels_that_cannot_stand_in_an_item_file_are_said(tmp_path):
    some = planted.corpus(8, 3)
    quoted = replace(
        some.utterances[0], phones=tuple(replace(p, label='"' + p.label) for p in some.utterances[0].phones)
    )
    some = replace(some, utterances=(quoted, *some.utterances[1:]))
    made = expert(some, tmp_path, taps=TAPS[:1], write_features=True, measures=["abx_phone"])
    planted.feed(made, FEATURES[:1])
    with pytest.raises(UserError, match="cannot stand in an item file"):
        made.log_records("test")


def item_file(path, corpus, longer_s=0, speaker=None, quote=""):
    """The phones of a corpus, at times that are no whole samples."""
    lines = [items.HEADER]
    for u in corpus.utterances:
        said = [(p.label, round(p.start_s, 5), round(p.end_s, 5)) for p in u.phones]
        lines += [
            f"{u.name} {start} {end + longer_s:.5f} {quote}{label} {before} {after} {speaker or u.speaker}"
            for (before, _, _), (label, start, end), (after, _, _) in zip(said, said[1:], said[2:], strict=False)
        ]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("rule", ["closed", "librilight"])
def test_a_users_item_file_gives_the_error_of_the_function(corpus, tmp_path, rule):
    path = item_file(tmp_path / "mine.item", corpus, quote='"')
    made = expert(
        corpus, tmp_path, measures=["abx_items"], items=path, rule=rule, tokens=None, x_speakers=None, context=["any"],
        permutations=0, write_features=True, shared_texts="keep",
    )  # fmt: skip
    planted.feed(made, FEATURES)
    with pytest.raises(UserError, match="cannot stand in an item file"):
        made.log_records("test")  # but the features are written, and other tools mind quotation marks, not this one
    rows = {(r.tap, r.subset): r for rows in made.measures[0].compute() for r in rows if r.score == "error"}
    for tap in TAPS:
        written = {p.stem: torch.load(p) for p in (tmp_path / "features" / tap.name).glob("*.pt")}
        for speaker in ("within", "across"):
            told = abx_error(written, path, str(16000 / tap.stride), speaker, rule=rule)
            row = rows.get((tap.name, f"{speaker}, own tokens")) or rows[tap.name, speaker]
            assert row.value == pytest.approx(told.error, abs=1e-6)
            assert row.n == told.cells.triplets.sum()
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert {row.segments for row in rows.values()} == {f"item file {digest[:16]}"}
    assert {row.protocol for row in rows.values()} == {"default" if rule == "closed" else rule}
    assert made.reads == {path: digest}


def test_drawn_items_are_written_with_their_exact_times(corpus, tmp_path):
    path = item_file(tmp_path / "mine.item", corpus)
    made = expert(corpus, tmp_path, measures=["abx_items"], items=path, write_features=True, taps=TAPS[:1])
    planted.feed(made, FEATURES[:1])
    rows = by_key(made)
    written = items.read(tmp_path / "features" / "items_any.item")
    assert set(written) < set(items.read(path))
    assert max(Counter((item.speaker, item.label) for item in written).values()) == 5
    frames = {p.stem: torch.load(p) for p in (tmp_path / "features" / "enc0.pre").glob("*.pt")}
    told = abx_error(frames, tmp_path / "features" / "items_any.item", 50, "within")
    assert rows["enc0.pre", "abx_items", "error", "within", "any"].value == pytest.approx(told.error, abs=1e-6)


def test_what_an_item_file_cannot_be(corpus, tmp_path):
    good = Path(item_file(tmp_path / "good.item", corpus)).read_text()
    cases = {
        "unknown": (good.replace("spk00_utt00", "spk99_utt00"), "such as 'spk99_utt00'; did you mean"),
        "empty": ("", "line 1 is not the header"),
        "bare": (items.HEADER, "holds no tokens"),
        "late": (items.HEADER + "\nspk00_utt00 90 91.5 aa s t spk00", "the first at 91.5 s of spk00_utt00"),
        "samples": (items.HEADER + "\nspk00_utt00 1e3 2e3 aa s t spk00", "no time in seconds"),
        "short": (items.HEADER + "\nspk00_utt00 1 2 aa s t", "line 2: 6 fields"),
    }
    for name, (text, said) in cases.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=said):
            expert(corpus, tmp_path, measures=["abx_items"], items=str(tmp_path / name))
    for options in ({"measures": ["abx_items"]}, {"items": "x"}, {"items": 3, "measures": ["abx_items"]}):
        with pytest.raises(UserError, match=r"expert\.items(: .* is not possible| is)"):
            expert(corpus, tmp_path, **options)
    with pytest.raises(UserError, match=r"expert\.rule: .* is not possible"):
        expert(corpus, tmp_path, rule="zerospeech")


def test_tokens_of_an_item_file_that_cannot_be_compared(corpus, tmp_path):
    cases = [
        (item_file(tmp_path / "alone", corpus, speaker="me"), "across", "any", "one speaker"),
        (item_file(tmp_path / "reach", corpus, longer_s=0.1), "across", "any", "in the same context only"),
    ]
    words = [line.split() for line in Path(cases[0][0]).read_text().splitlines()]
    (tmp_path / "words").write_text(
        "\n".join(" ".join([*w[:4], *(w[4:6] if w[0][0] == "#" else "--"), w[6]]) for w in words)
    )
    cases.append((str(tmp_path / "words"), "within", "triphone", "or none are named"))
    for path, subset, control, said in cases:
        made = expert(corpus, tmp_path, measures=["abx_items"], items=path, taps=TAPS[:1])
        planted.feed(made, FEATURES[:1])
        assert said in by_key(made)["enc0.pre", "abx_items", "error", subset, control].refused


def test_tokens_of_an_item_file_past_the_audio_are_counted(corpus, tmp_path, capsys):
    path = Path(item_file(tmp_path / "mine.item", corpus))
    path.write_text(path.read_text() + "spk00_utt00 1 99999999 aa s t spk00\n")
    made = expert(corpus, tmp_path, measures=["abx_items"], items=str(path), taps=TAPS[:1])
    assert made.tokens["abx_items"].left_out["past the audio"] == 1
    assert "abx_items: 1 of " in capsys.readouterr().out
