"""`-d rate` on planted codes: what is found against what was planted, counted by hand."""

from dataclasses import replace

import numpy as np
import planted
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.rate.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import DecodableStates, Tap

CODES = 16
TAPS = (
    Tap(0, "level0.continuous", "level0", "continuous", 320, 6),
    Tap(1, "level0.quantised", "level0", "quantised", 320, 6, codes=CODES),
    Tap(2, "level1.continuous", "level1", "continuous", 640, 6),
    Tap(3, "level1.quantised", "level1", "quantised", 640, 6, codes=CODES),
)


def book(tap):
    return planted.generator("book", tap.stride).standard_normal((CODES, 6)).astype(np.float32)


def of_phones(utterance, tap, frames):
    """(T,) codes that are the phone at a frame's middle, and nothing else."""
    return planted.phone_at(utterance, tap.stride, frames) + 1


def of_speakers(utterance, tap, frames):
    """(T,) codes of which half of the frames say who speaks."""
    number = int(planted.generator("who", utterance.speaker).integers(8))
    draw = planted.generator("half", utterance.name, tap.name)
    return np.where(draw.random(frames) < 0.5, number, draw.integers(8, CODES, frames))


def of_nothing(utterance, tap, frames):
    return planted.generator("codes", utterance.name, tap.name).integers(0, CODES, frames)


def coded(codes):
    """Features that are the codes' vectors."""
    return lambda utterance, tap, frames: book(tap)[codes(utterance, tap, frames)]


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=12, per_speaker=6)


def expert(corpus, out, observed=TAPS, **options):
    return DownstreamExpert(
        upstream_dim=6,
        upstream_rate=320,
        downstream_expert={"intervals": "full", **options},
        expdir=str(out),
        taps=observed,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )


def rows_of(made):
    """The results by (tap, units, measure, score)."""
    made.log_records("test", records={}, logger=None, global_step=0)
    return {(row.tap, row.units, row.measure, row.score): row for row in made.rows}


@pytest.fixture(scope="module")
def found(corpus, tmp_path_factory):
    made = expert(corpus, tmp_path_factory.mktemp("rate"))
    planted.feed(made, (planted.noise, coded(of_phones), planted.noise, coded(of_speakers)))
    return made, rows_of(made)


def test_only_a_models_own_codes_are_asked_unless_others_are_named(found):
    _, rows = found
    assert {key[:2] for key in rows} == {("level0.quantised", "codes"), ("level1.quantised", "codes")}


def test_every_row_says_what_its_units_cost(found):
    made, rows = found
    reservoir = made.gathering.statistics["reservoir of 20000 frames of each tap, 100 of an utterance"]
    scored = ~made.plan.trains(reservoir.fold)
    for position, tap in ((1, TAPS[1]), (3, TAPS[3])):
        heard = reservoir.frames(position, np.flatnonzero(scored))
        counts = np.unique(heard, axis=0, return_counts=True)[1]
        per_s = 16000 / tap.stride
        row = rows[tap.name, "codes", "rate_bits", "entropy_bits_per_s"]
        assert row.value == pytest.approx(per_s * entropy(counts, base=2))
        assert row.ci_low < row.value < row.ci_high
        assert (row.unit, row.higher_is_better, row.n) == ("bit/s", False, int(scored.sum()))
        for (name, _, measure, _), each in rows.items():
            if name == tap.name:
                assert each.number("bits_per_s") == per_s * 4
                assert each.clusters == CODES
                if measure != "rate_mel":
                    assert each.number("entropy_bits_per_s") == row.value


@pytest.mark.parametrize(("per_utterance", "grey"), [(4, True), (100, False)])
def test_an_entropy_of_few_frames_is_grey(tmp_path, corpus, per_utterance, grey):
    made = expert(corpus, tmp_path, sampled_per_utterance=per_utterance, measures=["rate_bits"])
    planted.feed(made, (planted.noise, coded(of_phones), planted.noise, coded(of_nothing)))
    for row in rows_of(made).values():
        assert (row.n < 10 * CODES) == grey, "ten frames a unit, or its entropy is the sample's"
        assert (row.grey is not None) == grey


def by_hand(made, tap, codes, unit):
    """Adjusted information of the codes at the midpoints of scored segments, with scikit-learn."""
    plan = made.plan
    sample = next(each for each in plan.samples if each.unit == unit)
    units, labels = [], []
    for row in np.flatnonzero(~sample.trains):
        utterance = plan.corpus.utterances[sample.alignment.utterance[sample.segment[row]]]
        frames = planted.frames_at(utterance, tap)
        start, end = (int(times[sample.segment[row]]) for times in (sample.alignment.start, sample.alignment.end))
        centres = (np.arange(frames) + 0.5) * tap.stride
        middle = (start + end) / 2
        nearest = frames - 1 - int(np.argmin(np.abs(centres - middle)[::-1]))  # of two equally near ones the later
        units.append(int(codes(utterance, tap, frames)[nearest]))
        labels.append(int(sample.label[row]))
    table = contingency_matrix(labels, units)
    emi = expected_mutual_information(contingency_matrix(labels, units, sparse=True), len(labels))
    return (mutual_info_score(None, None, contingency=table) - emi) / (entropy(table.sum(1)) - emi), len(labels)


@pytest.mark.parametrize("unit", ["phone", "word"])
@pytest.mark.parametrize(("position", "codes"), [(1, of_phones), (3, of_speakers)])
def test_information_is_that_of_the_unit_at_the_midpoint(found, unit, position, codes):
    made, rows = found
    tap = TAPS[position]
    row = rows[tap.name, "codes", f"rate_{unit}", "adjusted"]
    if row.value is None:
        pytest.skip(row.refused)
    value, n = by_hand(made, tap, codes, unit)
    assert row.value == pytest.approx(value, abs=1e-9)
    assert (row.n, row.headline, row.segments) == (n, True, "centre")
    assert row.ci_low < row.value < row.ci_high


def test_what_is_planted_is_found(found):
    _, rows = found
    assert rows["level0.quantised", "codes", "rate_phone", "adjusted"].value > 0.9
    nothing = rows["level1.quantised", "codes", "rate_phone", "adjusted"]
    assert nothing.ci_low < 0 < nothing.ci_high
    who = rows["level1.quantised", "codes", "rate_speaker", "adjusted"]
    assert who.value > 0.15
    assert who.ci_low > 0
    phones = rows["level0.quantised", "codes", "rate_speaker", "adjusted"]
    assert abs(phones.value) < 0.05
    assert who.n == phones.n


def test_codes_that_know_nothing_tell_nothing(corpus, tmp_path):
    made = expert(corpus, tmp_path)
    planted.feed(made, (planted.noise, coded(of_nothing), planted.noise, coded(of_nothing)))
    rows = rows_of(made)
    for tap in ("level0.quantised", "level1.quantised"):
        for measure in ("rate_phone", "rate_speaker"):
            row = rows[tap, "codes", measure, "adjusted"]
            assert abs(row.value) < 0.05
        cost = rows[tap, "codes", "rate_bits", "entropy_bits_per_s"]
        assert cost.value == pytest.approx(cost.number("bits_per_s"), rel=0.01)


def test_other_taps_get_clusters_of_every_number(corpus, tmp_path):
    taps = tuple(replace(tap, codes=None) for tap in TAPS[:1])
    made = expert(corpus, tmp_path, observed=taps, clusters=[12, 3], measures=["rate_bits", "rate_phone"], seeds=2)
    planted.feed(made, (planted.phonetic(0.01),))
    rows = rows_of(made)
    assert {key[1] for key in rows} == {"k-means 3", "k-means 12"}
    few, many = (rows["level0.continuous", f"k-means {k}", "rate_phone", "adjusted"] for k in (3, 12))
    assert few.value < 0.7 < many.value
    assert (few.number("bits_per_s"), many.number("bits_per_s")) == (50 * np.log2(3), 50 * np.log2(12))
    assert many.number("entropy_bits_per_s") <= many.number("bits_per_s")
    assert many.number("seed_sd") is not None
    assert few.identity != many.identity


class _Spoiled:
    """Decodes into the spectrogram and noise of a known size, larger at higher taps."""

    def __init__(self, waveforms):
        self.waveforms = waveforms

    def __call__(self, tap, i):
        heard = self.waveforms[i][: len(self.waveforms[i]) // 80 * 80].reshape(-1, 80) * 100
        sign = torch.ones_like(heard)
        sign[:, ::2] = -1
        return heard, heard + (1 + tap) * sign


def test_the_error_of_decoded_spectrograms(corpus, tmp_path):
    made = expert(corpus, tmp_path, measures=["rate_mel"], decoded_utterances=20)
    heard = []
    batches = planted.batches(corpus, made.plan.needed, 8, TAPS, [coded(of_nothing)] * 4)
    for states, chosen in batches:
        decodable = DecodableStates(
            states.taps, states.tensors, states.lengths, states.waveforms, _Spoiled(states.waveforms)
        )
        made("test", decodable, chosen, records={})
        heard += [decodable.decoded(1, i)[0] for i in range(len(chosen))]
    rows = rows_of(made)
    together = torch.cat(heard).double()
    for position in (1, 3):
        row = rows[TAPS[position].name, "codes", "rate_mel", "rmse_db"]
        assert row.value == pytest.approx(1 + position, rel=1e-5)
        assert row.n == len(together)
        assert row.chance == pytest.approx(float(together.var(0, unbiased=False).mean().sqrt()), rel=1e-9)
        assert (row.unit, row.higher_is_better, row.number("bits_per_s")) == (
            "dB",
            False,
            16000 / TAPS[position].stride * 4,
        )
    assert len(made.plan.needed) == 20
    assert not made.plan.trains(made.plan.folds.of_utterance[made.plan.needed]).any(), "of the scored half"


def test_a_pass_in_parts_is_the_same(corpus, tmp_path, found):
    _, whole = found
    features = (planted.noise, coded(of_phones), planted.noise, coded(of_speakers))
    parts = [expert(corpus, tmp_path / str(i)) for i in range(2)]
    needed = list(parts[0].plan.needed)
    for i, part in enumerate(parts):
        planted.feed(part, features, missing=needed[i::2])
    parts[0].gathering.merge(parts[1].gathering.state_dict())
    merged = rows_of(parts[0])
    assert merged.keys() == whole.keys()
    for key, row in merged.items():
        assert row.value == whole[key].value


def test_a_model_that_does_not_decode_says_so(found):
    _, rows = found
    row = rows["level0.quantised", "codes", "rate_mel", "rmse_db"]
    assert row.value is None
    assert "does not decode" in row.refused


def test_a_corpus_without_words_says_so(corpus, tmp_path):
    mute = replace(corpus, utterances=tuple(replace(u, words=()) for u in corpus.utterances))
    made = expert(mute, tmp_path, measures=["rate_word"])
    planted.feed(made, (planted.noise, coded(of_phones), planted.noise, coded(of_speakers)))
    row = rows_of(made)["level0.quantised", "codes", "rate_word", "adjusted"]
    assert "aligned words" in row.refused
    assert row.number("bits_per_s") == 200


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"taps": ["level0.quantized"]}, r"did you mean 'level0\.quantised'"),
        ({"clusters": 50}, "clusters"),
        ({"clusters": [1]}, "clusters"),
        ({"measures": ["rate_phones"]}, "did you mean 'rate_phone'"),
        ({"intervals": "some"}, "intervals"),
        ({"kmeans": 3}, "kmeans"),
    ],
)
def test_options_that_cannot_be_are_refused(corpus, tmp_path, options, named):
    with pytest.raises(UserError, match=named):
        expert(corpus, tmp_path, **options)
