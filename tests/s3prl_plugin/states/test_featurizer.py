"""Any s3prl upstream as States: true strides, exact lengths, and what is told of one that cannot be believed."""

import foreign_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.featurizer import StatesFeaturizer, states_of

s3prl_plugin.register()


class Counting(torch.nn.Module):
    """An upstream that counts frames as it is told and says of its stride what it is told.

    Args:
        frames: per layer, samples -> frames.
        reported: what get_downsample_rates returns; None for an upstream without that method.
    """

    def __init__(self, *frames, reported=None):
        super().__init__()
        self.frames = frames
        if reported is not None:
            self.get_downsample_rates = lambda key: reported

    def forward(self, wavs):
        longest = max(map(len, wavs))
        return {"hidden_states": [torch.zeros(len(wavs), count(longest), 3) for count in self.frames]}


def every(stride, first=400):
    return lambda samples: (samples - first) // stride + 1


def noise(*lengths):
    return [torch.randn(n, generator=torch.Generator().manual_seed(n)) * 0.1 for n in lengths]


@pytest.fixture(scope="module", params=["hubert", "wavlm", "hf_hubert", "fbank", "mel", "mr_hubert_of_s3prl"])
def upstream(request, tmp_path_factory, small_checkpoint):
    from s3prl import hub

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    match request.param:
        case "hubert":
            return hub.hubert_custom(ckpt=foreign_models.hubert(folder / "hubert.pt"))
        case "wavlm":
            return hub.wavlm_local(ckpt=foreign_models.wavlm(folder / "wavlm.pt"))
        case "hf_hubert":
            return hub.hf_hubert_custom(foreign_models.hf_hubert(folder))
        case "mr_hubert_of_s3prl":
            return hub.multires_hubert_local(ckpt=foreign_models.multires_hubert(folder / "multires.pt"))
    return getattr(hub, request.param)()


def test_every_utterance_of_a_batch_has_as_many_frames_as_alone(upstream):
    featurizer = StatesFeaturizer(upstream)
    lengths = [16000, 15999, 8080, 24321, 8079, 4000, 12400, 12399]
    with torch.no_grad():
        batch = noise(*lengths)
        states = featurizer(batch, upstream(batch))
        for i, wav in enumerate(batch):
            alone = featurizer([wav], upstream([wav]))
            assert [int(n[i]) for n in states.lengths] == [x.shape[1] for x in alone.tensors], lengths[i]


def test_what_s3prl_knows_of_an_upstream_holds(upstream):
    taps = StatesFeaturizer(upstream).taps
    with torch.no_grad():
        hidden = upstream(noise(16000))["hidden_states"]
    assert [tap.dim for tap in taps] == [h.shape[-1] for h in hidden]
    assert {tap.stride for tap in taps} == {upstream.get_downsample_rates("hidden_states")}
    assert [tap.name for tap in taps] == [f"layer{i}" for i in range(len(hidden))]
    assert {tap.block for tap in taps} == {None}


def test_states_hold_the_upstreams_own_tensors(upstream):
    batch = noise(9000, 12000)
    with torch.no_grad():
        features = upstream(batch)
        states = StatesFeaturizer(upstream)(batch, features)
    assert all(a is b for a, b in zip(states.tensors, features["hidden_states"], strict=True))
    assert all(a is b for a, b in zip(states.waveforms, batch, strict=True))


def test_a_frame_too_many_is_not_counted_as_speech():
    """s3prl's own count, round(L / 320), gives 15920 samples 50 frames; the convolutions make 49."""
    batch = noise(15920, 32000)
    upstream = Counting(every(320), reported=320)
    assert states_of(upstream(batch)["hidden_states"], 320, batch).lengths[0].tolist() == [50, 99]
    assert StatesFeaturizer(upstream)(batch, upstream(batch)).lengths[0].tolist() == [49, 99]


def test_an_upstream_that_lies_about_its_stride_is_refused():
    with pytest.raises(UserError, match="reports a stride of 320 samples, but its frames are 160 apart"):
        StatesFeaturizer(Counting(every(160), every(160), reported=320))
    with pytest.raises(UserError, match="reports a stride of 320, 640 samples"):
        StatesFeaturizer(Counting(every(320), every(320), reported=[320, 640]))


@pytest.mark.parametrize("wrong", [318, 322, 16000])
def test_a_small_lie_is_seen_too(wrong):
    """s3prl's tolerance of five frames would let 318 and 322 pass for several seconds."""
    with pytest.raises(UserError, match="mend its get_downsample_rates"):
        StatesFeaturizer(Counting(every(320), reported=wrong))


def test_an_upstream_whose_states_disagree_in_length_is_told_apart(capsys):
    featurizer = StatesFeaturizer(Counting(every(320), every(640), every(320), reported=320))
    assert [tap.stride for tap in featurizer.taps] == [320, 640, 320]
    assert "its layers have several (320, 640)" in capsys.readouterr().err


def test_a_frame_of_disagreement_at_one_rate_is_no_disagreement(capsys):
    """fairseq's models pad inside, s3prl tolerates five frames: each layer keeps its own count."""
    upstream = Counting(every(320), every(320, first=80), reported=320)
    batch = noise(16000, 20000)
    states = StatesFeaturizer(upstream)(batch, upstream(batch))
    assert [n.tolist() for n in states.lengths] == [[49, 62], [50, 63]]
    assert capsys.readouterr().err == ""


def test_strides_that_are_reported_per_layer_or_not_at_all():
    for reported in ([320, 1280], None):
        taps = StatesFeaturizer(Counting(every(320), every(1280), reported=reported)).taps
        assert [tap.stride for tap in taps] == [320, 1280]
    with pytest.raises(UserError, match="3 strides for its 2 hidden_states"):
        StatesFeaturizer(Counting(every(320), every(320), reported=[320, 320, 320]))


def test_lengths_that_follow_no_law_are_said_to_be_approximate(capsys):
    odd = Counting(lambda n: n // 320 + n % 2, reported=320)
    batch = noise(16000, 8000)
    assert StatesFeaturizer(odd)(batch, odd(batch)).lengths[0].tolist() == [50, 25]
    assert "layer0" in capsys.readouterr().err


def test_frames_that_no_stride_explains_are_refused():
    upstream = Counting(every(320), reported=320)
    featurizer = StatesFeaturizer(upstream)
    batch = noise(16000)
    with pytest.raises(UserError, match="layer0 has 99 frames for 16000 samples"):
        featurizer(batch, {"hidden_states": [torch.zeros(1, 99, 3)]})


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ({"x": 1}, "no hidden_states"),
        ({"hidden_states": [torch.zeros(1, 3)]}, "not (batch, frames, features)"),
        ({"hidden_states": [torch.zeros(1, 1, 3)]}, "as many frames for five seconds"),
    ],
)
def test_what_cannot_be_analysed(features, told):
    upstream = torch.nn.Identity()
    upstream.forward = lambda wavs: features
    with pytest.raises(UserError) as error:
        StatesFeaturizer(upstream)
    assert told in str(error.value)


def test_our_own_states_pass_through(small_checkpoint):
    from s3prl import hub

    upstream = hub.mr_hubert_local(ckpt=small_checkpoint)
    featurizer = StatesFeaturizer(upstream)
    batch = noise(4000, 3000)
    with torch.no_grad():
        features = upstream(batch)
    assert featurizer(batch, features) is features["states"]
    assert featurizer.taps == upstream.taps


def test_probing_leaves_torchs_random_state_alone(upstream):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    StatesFeaturizer(upstream)
    assert torch.equal(before, torch.get_rng_state())
