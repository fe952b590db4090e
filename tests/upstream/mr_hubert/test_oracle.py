"""Our states against fairseq's own."""

from pathlib import Path

import literal_mr_hubert
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from s3prl_plugin.upstream.mr_hubert.checkpoint import load

EXCERPT = Path(__file__).parents[2] / "data" / "mr_hubert"
TOLERANCE = 2e-5
NAMES = ["excerpt", "t2res", "tplain", "tsingle", "tmono", "tlarge", "t3res", "hubert"]


class Oracle:
    """A checkpoint, waveforms, and what fairseq makes of them."""

    def __init__(self, name, folder):
        self.loaded = load.load(folder / "checkpoint.pt")
        self.network = self.loaded.network().eval()
        self.arrays = np.load(folder / ("states.npz" if name == "excerpt" else "oracle.npz"))
        self.block = "enc" if name == "hubert" else "mid"
        self.content = folder / "checkpoint.pt"

    def waveform(self, name):
        wav = torch.from_numpy(self.arrays[name])
        return F.layer_norm(wav, wav.shape) if self.loaded.normalize else wav

    def state(self, case, tap):
        """fairseq's array for a tap, or None where it was not recorded."""
        name = f"{case}/{tap.replace('mid.', self.block + '.')}"
        return torch.from_numpy(self.arrays[name]) if name in self.arrays else None

    def run(self, waveforms, **options):
        lengths = [len(wav) for wav in waveforms]
        with torch.no_grad():
            return self.network(torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths, **options)


@pytest.fixture(scope="module", params=NAMES)
def oracle(request):
    if request.param == "excerpt":
        return Oracle("excerpt", EXCERPT)
    return Oracle(request.param, request.getfixturevalue("shared") / "oracle" / "mr_hubert" / request.param)


def test_single_utterances_equal_fairseq(oracle):
    compared = 0
    for length in (16000, 16321, 48000):
        if f"wav{length}" not in oracle.arrays:
            continue
        for state in oracle.run([oracle.waveform(f"wav{length}")]):
            expected = oracle.state(f"single{length}", state.name)
            if expected is not None:
                assert state.x.shape == expected.shape, state.name
                assert state.lengths == [expected.shape[1]]
                torch.testing.assert_close(state.x, expected, rtol=0, atol=TOLERANCE, msg=lambda m, s=state: s.name + m)
                compared += 1
    taps = [tap.name.replace("mid.", f"{oracle.block}.") for tap in oracle.network.taps]
    recorded = [name for name in oracle.arrays if name.startswith("single") and name.split("/")[1] in taps]
    assert compared == len(recorded) > 10


def test_padded_batch_equals_fairseq_where_it_is_inexact_on_purpose(oracle):
    waveforms = [oracle.waveform(f"batchwav{i}") for i in range(3)]
    states = {state.name: state for state in oracle.run(waveforms, exact=False)}
    for name, state in states.items():
        expected = oracle.state("batch", name)
        if expected is None:
            continue
        for i, length in enumerate(state.lengths):
            torch.testing.assert_close(state.x[i, :length], expected[i, :length], rtol=0, atol=TOLERANCE)
    valid = (~oracle.arrays["batch/padmask"]).sum(1).tolist()
    assert list(states.values())[-1].lengths == valid
    if oracle.loaded.config.ratios:
        down = (~oracle.arrays["batch/down0.padmask"]).sum(1).tolist()
        following = "enc1.pre" if "enc1.pre" in states else "mid.pre"
        assert states[following].lengths == down


def test_padding_does_change_fairseq_s_batch(oracle):
    # Else the previous test could not tell the two modes apart.
    waveforms = [oracle.waveform(f"batchwav{i}") for i in range(3)]
    padded = oracle.run(waveforms, exact=False)[-1]
    alone = oracle.run(waveforms[2:])[-1]
    frames = min(alone.x.shape[1], padded.lengths[2])
    difference = (padded.x[2, :frames] - alone.x[0, :frames]).norm() / alone.x[0, :frames].norm()
    assert difference > 0.02


def test_exact_batch_equals_each_utterance_alone(oracle):
    long = torch.cat([oracle.waveform("wav16321"), oracle.waveform("wav16000")])
    waveforms = [long[:n] for n in (32321, 400, 719, 720, 8000, 16321, 1039)]
    together = oracle.run(waveforms)
    for i, waveform in enumerate(waveforms):
        for state, alone in zip(together, oracle.run([waveform]), strict=True):
            assert [state.lengths[i]] == alone.lengths == [alone.x.shape[1]]
            torch.testing.assert_close(
                state.x[i, : state.lengths[i]], alone.x[0], rtol=0, atol=TOLERANCE, msg=lambda m, s=state: s.name + m
            )


def test_the_literal_definition_equals_fairseq(oracle):
    """What other tests hold further architectures against is right where fairseq's own states are known."""
    content = _content(oracle)
    waveform = oracle.arrays["wav16321"]
    defined = literal_mr_hubert.states(
        content["model"], content["cfg"]["model"], waveform, normalize=oracle.loaded.normalize
    )
    for name, x in defined.items():
        expected = oracle.state("single16321", name)
        if expected is not None:
            torch.testing.assert_close(x.float()[None], expected, rtol=0, atol=TOLERANCE)
    assert list(defined) != []
    assert set(defined) == {tap.name for tap in oracle.network.taps}


def _content(oracle):
    class Dictionary:
        def __setstate__(self, state):
            pass

    with torch.serialization.safe_globals([(Dictionary, "fairseq.data.dictionary.Dictionary")]):
        return torch.load(oracle.content, weights_only=True)
