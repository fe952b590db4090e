"""The device that is there computes what the CPU computes, or it is said that it does not."""

import pytest
import torch

from s3prl_plugin.commands import device_check, doctor


def test_the_cpu_agrees_with_itself_to_the_bit():
    found = device_check.compare("cpu")
    assert found.differences == dict.fromkeys(device_check.MOST, 0.0)
    assert found.agrees


@pytest.mark.parametrize("what", device_check.MOST)
@pytest.mark.parametrize("wrong", [lambda x: x * 1.1, lambda x: x[:1], lambda x: x * float("nan")])
def test_a_device_that_computes_something_else_does_not(monkeypatch, what, wrong):
    right = {name: torch.linspace(-2, 1, 12).double() for name in device_check.MOST}
    results = [right, {**right, what: wrong(right[what])}]
    monkeypatch.setattr(device_check, "_computed", lambda device: results.pop(0))
    found = device_check.compare("cpu")
    assert not found.agrees
    assert [name for name, far in found.differences.items() if far] == [what]


def test_the_doctor_says_what_it_saw(monkeypatch):
    text = "\n".join(doctor._device_lines([]))
    assert "no GPU that torch sees" in text
    monkeypatch.setattr(device_check, "devices", lambda: ["cuda:0", "cuda:1"])
    differences = dict.fromkeys(device_check.MOST, 2e-6)
    fine = device_check.Compared("cuda:0", "GPU", differences)

    def compare(device):
        if device == "cuda:1":
            raise RuntimeError("no kernel image")
        return fine

    monkeypatch.setattr(device_check, "compare", compare)
    found = doctor._devices()
    assert [each["agrees"] for each in found] == [True, False]
    text = "\n".join(doctor._device_lines(found))
    assert "cuda:0 (GPU): agrees with the CPU (states 2.0e-06, statistics 2.0e-06, head 2.0e-06)" in text
    assert "cuda:1 (cuda:1): DIFFERS from the CPU: do not use it (RuntimeError: no kernel image)" in text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_the_gpu_agrees():
    for device in device_check.devices():
        assert device_check.compare(device).agrees
