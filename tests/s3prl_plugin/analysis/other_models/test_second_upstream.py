"""A second upstream as the hub gives it: its states, its name, and what it must not change."""

import gc
import importlib
import random

import foreign_models
import numpy as np
import planted
import pytest
import torch
from second_model import PlantedModel

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.other_models import second_upstream
from s3prl_plugin.analysis.other_models.second_upstream import of_second
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "a", None, "a", 320, 3),)
SECOND = (Tap(0, "b", None, "b", 640, 4),)


@pytest.fixture(scope="module", autouse=True)
def registered():
    import s3prl_plugin

    s3prl_plugin.register()
    importlib.import_module("s3prl.hub")


def waves():
    return [torch.randn(n, generator=torch.Generator().manual_seed(n)) for n in (16000, 9000)]


def test_its_states_are_those_of_the_upstream_alone(small_checkpoint):
    from s3prl import hub

    second = second_upstream.load("mr_hubert_local", str(small_checkpoint), {}, "cpu")
    alone = hub.mr_hubert_local(ckpt=str(small_checkpoint)).eval()
    with torch.no_grad():
        expected = alone(waves())["states"]
    found = second(waves())
    assert second.taps == found.taps == expected.taps
    for k in range(len(expected)):
        torch.testing.assert_close(found[k], expected[k])
        assert not found[k].requires_grad


def test_it_is_loaded_once_while_someone_uses_it(small_checkpoint):
    path = str(small_checkpoint)
    one, again = (second_upstream.load("mr_hubert_local", path, {}, "cpu") for _ in range(2))
    pooled = second_upstream.load("mr_hubert_local", path, {"pool_to": "mean:40"}, "cpu")
    assert one is again is not pooled
    assert {tap.stride for tap in pooled.taps} == {640}
    assert one.name.startswith("mr_hubert_local@")
    assert pooled.name.startswith("mr_hubert_local[pool_to=mean:40]@")
    del one, again, pooled
    gc.collect()
    assert not second_upstream._loaded


def test_one_of_s3prl_with_options_of_ours():
    fbank = second_upstream.load("fbank", None, {}, "cpu")
    pooled = second_upstream.load("fbank", None, {"pool_to": "mean:20"}, "cpu")
    assert (fbank.name, pooled.name) == ("fbank", "fbank[pool_to=mean:20]")
    assert (fbank.taps[0].stride, pooled.taps[0].stride) == (160, 320)


def test_random_weights_differ_by_their_seed(small_checkpoint):
    one, two = (
        second_upstream.load("mr_hubert_local", str(small_checkpoint), {"random_weights": True, "seed": s}, "cpu")
        for s in (1, 2)
    )
    assert one.digest != two.digest
    assert one.name != two.name


def test_one_of_s3prl_that_reads_its_options_itself():
    """Its weights do not tell one from the other: it has none."""
    given = [
        {
            "kaldi": {"feat_type": "fbank", "fbank": {"num_mel_bins": bins}},
            "delta": {"order": 1},
            "cmvn": {"use_cmvn": True},
        }
        for bins in (20, 40)
    ]
    one, two = (second_upstream.load("baseline_local", None, options, "cpu") for options in given)
    assert one.taps[0].dim != two.taps[0].dim
    assert one.digest != two.digest
    assert one.name != two.name


def test_a_checkpoint_of_s3prl_is_told_by_its_weights(tmp_path):
    paths = [foreign_models.apc(tmp_path / f"{seed}.ckpt", seed) for seed in (1, 2)]
    one, two = (second_upstream.load("apc_local", path, {}, "cpu") for path in paths)
    assert one.name != two.name
    assert one.digest != two.digest


def test_what_loading_draws_is_not_missing_to_the_run(monkeypatch):
    load = second_upstream._model

    def drawing(*given):
        random.random(), np.random.rand(), torch.rand(1)
        return load(*given)

    monkeypatch.setattr(second_upstream, "_model", drawing)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    second_upstream.load("fbank", None, {}, "cpu")
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.equal(torch.get_rng_state(), states[2])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("mr_hubert_locl", None, {}), "did you mean 'mr_hubert_local'"),
        (("mr_hubert_local", None, {"pool": 3}), "unknown option 'pool'"),
        (("mr_hubert_local", "missing.pt", {}), "missing.pt: no such file"),
        (("fbank", None, {"native": True}), "fbank has no option 'native'"),
    ],
)
def test_mistakes_are_told(given, message):
    with pytest.raises(UserError, match=message):
        second_upstream.load(*given, "cpu")


def test_statistics_of_it_are_gathered_saved_and_merged_as_any():
    corpus = planted.corpus(speakers=8, per_speaker=2)
    model = PlantedModel(corpus, SECOND, (planted.noise,))

    def empty():
        gathering = Gathering(Plan(corpus, 0))
        reservoir = FrameReservoir(gathering.plan, SECOND, per_utterance=4)
        gathering.share("second", lambda: of_second(reservoir, model))
        return gathering, reservoir

    def fed(part):
        gathering, reservoir = empty()
        for states, chosen in list(planted.batches(corpus, range(16), 4, TAPS, (planted.noise,)))[part]:
            gathering.update(Batch(states, chosen, gathering.plan))
        return gathering, reservoir

    (whole, all_rows), (first, _), (second, _) = fed(slice(None)), fed(slice(2)), fed(slice(2, None))
    merged, rows = empty()
    merged.load_state_dict(first.state_dict())
    merged.merge(second.state_dict())
    np.testing.assert_array_equal(rows.rows(), all_rows.rows())
    np.testing.assert_array_equal(rows.frames(0, rows.rows()), all_rows.frames(0, rows.rows()))
    assert merged.memory_bytes == whole.memory_bytes == all_rows.memory_bytes
    (statistic,) = whole.statistics.values()
    assert "digest of second" in statistic.describe(), "what another model gave is not gone on from"


def test_a_batch_asks_it_once():
    corpus = planted.corpus(speakers=8, per_speaker=2)
    model = PlantedModel(corpus, SECOND, (planted.noise,))
    states, chosen = next(planted.batches(corpus, range(4), 4, TAPS, (planted.noise,)))
    batch = Batch(states, chosen, Plan(corpus, 0))
    assert batch.seen_by(model) is batch.seen_by(model)
    assert model.calls == 1
    for i, position in enumerate(chosen):
        utterance = corpus.utterances[position]
        expected = planted.noise(utterance, SECOND[0], planted.frames_at(utterance, SECOND[0]))
        np.testing.assert_allclose(batch.seen_by(model).frames(i, 0).numpy(), expected, rtol=1e-6)
