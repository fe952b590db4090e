"""Every task's settings against the published ones, and its description against s3prl's own code."""

import ast
import importlib.util
import string
from pathlib import Path

import pytest

from s3prl_plugin import superb
from s3prl_plugin.superb.tasks import get, put

# SUPERB (arXiv 2105.01051), s3prl's own configurations at 0.4.18: steps, batch, accumulation, learning rate, optimizer,
# gradient clipping, evaluation every so many steps, checkpoints kept.
PUBLISHED = {
    "PR": (100_000, 16, 2, 1e-2, "Adam", 1, 1000, 1),
    "ASR": (200_000, 32, 1, 1e-4, "Adam", 1, 2000, 1),
    "KS": (200_000, 32, 1, 1e-4, "Adam", 1, 5000, 1),
    "SID": (200_000, 8, 4, 1e-4, "Adam", 1, 5000, 1),
    "ASV": (200_000, 10, 5, 1e-4, "AdamW", 1e3, None, 20),
    "SD": (30_000, 8, 4, 1e-4, "Adam", 1, 500, 1),
    "IC": (200_000, 32, 1, 1e-4, "Adam", 1, 5000, 1),
    "SF": (200_000, 32, 1, 1e-4, "Adam", 1, 2000, 1),
    "ER": (30_000, 4, 8, 1e-4, "Adam", 1, 1000, 1),
}
BATCH = {
    "PR": "corpus.batch_size",
    "SF": "corpus.batch_size",
    "ASR": "datarc.batch_size",
    "KS": "datarc.batch_size",
    "SD": "loaderrc.train_batchsize",
}
HEADS = {
    "PR": {"model.project_dim": 256, "model.select": "FrameLevel", "model.zero_infinity": True, "metric": ["per"]},
    "ASR": {
        "modelrc.project_dim": 1024,
        "modelrc.RNNs.dim": [1024, 1024],
        "modelrc.RNNs.dropout": [0.2, 0.2],
        "modelrc.RNNs.bidirection": True,
        "modelrc.RNNs.module": "LSTM",
    },
    "KS": {"modelrc.projector_dim": 256, "modelrc.UtteranceLevel.pooling": "MeanPooling"},
    "SID": {"modelrc.projector_dim": 256, "datarc.max_timestep": 128_000},
    "ASV": {
        "modelrc.module": "XVector",
        "modelrc.input_dim": 512,
        "modelrc.agg_module": "SP",
        "modelrc.module_config.XVector.agg_dim": 1500,
        "modelrc.ObjectiveLoss": "AMSoftmaxLoss",
        "modelrc.LossConfig.AMSoftmaxLoss": {"s": 30.0, "m": 0.4},
        "datarc.vad_config.min_sec": 2 * 16000,
    },
    "SD": {"modelrc": {"rnn_layers": 1, "hidden_size": 512}, "datarc.chunk_size": 2000, "datarc.num_speakers": 2},
    "IC": {"modelrc.projector_dim": 256, "modelrc.UtteranceLevel.pooling": "MeanPooling"},
    "SF": {
        "model.RNNs.dim": [1024, 1024],
        "model.project_dim": 1024,
        "text.mode": "character-slot",
        "corpus.train_speakers": ["Ivy", "Joanna", "Joey", "Justin", "Kendra", "Kimberly", "Matthew", "Salli"],
        "corpus.valid_speakers": ["Aditi", "Amy", "Geraint", "Nicole"],
        "corpus.test_speakers": ["Brian", "Emma", "Raveena", "Russell"],
    },
    "ER": {"modelrc.projector_dim": 256, "datarc.valid_ratio": 0.2},
    "QbE": {
        "dtwrc": {"dist_method": "cosine_exp", "minmax_norm": True, "step_pattern": "asymmetric", "subsequence": True},
        "feature_normalization": True,
    },
}
SPECAUGMENT = {
    "time_warp_window": 5,
    "num_time_mask": 2,
    "time_mask_width_range": [0, 40],
    "num_freq_mask": 4,
    "freq_mask_width_range": [0, 50],
}
TEN = ("PR", "ASR", "KS", "QbE", "SID", "ASV", "SD", "IC", "SF", "ER")


def settings(name):
    folder = Path("/corpora")
    return superb.task(name).settings({}, superb.TaskCorpus(folder, "real", "real", folder / "made"))


def test_there_are_the_ten_tasks_of_superb_and_phones_without_stress():
    assert tuple(superb.tasks()) == (*TEN, "PR39")


def test_phones_without_stress_differ_from_pr_in_their_labels_alone():
    key = "downstream_expert.text.vocab_file"
    one, other = settings("PR"), settings("PR39")
    assert (Path(get(one, key)).name, Path(get(other, key)).name) == ("phones_stress.txt", "phones.txt")
    put(other, key, get(one, key))
    assert one == other


@pytest.mark.parametrize("name", PUBLISHED)
def test_training_is_as_published(name):
    found = settings(name)
    runner, expert, optimizer = found["runner"], found["downstream_expert"], found["optimizer"]
    evaluated = runner["eval_step"] if runner["eval_dataloaders"] else None
    assert PUBLISHED[name] == (
        runner["total_steps"],
        get(expert, BATCH.get(name, "datarc.train_batch_size")),
        runner["gradient_accumulate_steps"],
        optimizer["lr"],
        optimizer["torch_optim_name"],
        runner["gradient_clipping"],
        evaluated,
        runner["max_keep"],
    )
    assert runner["total_steps"] % runner["save_step"] == 0
    assert "scheduler" not in found
    assert ("specaug" in found) == (name in ("ASR", "SF"))
    if "specaug" in found:
        assert {key: found["specaug"][key] for key in SPECAUGMENT} == SPECAUGMENT


@pytest.mark.parametrize("name", TEN)
def test_heads_are_as_published(name):
    expert = settings(name)["downstream_expert"]
    assert {key: get(expert, key) for key in HEADS[name]} == HEADS[name]


def test_verification_saves_what_the_ten_scored_checkpoints_are_of():
    runner = settings("ASV")["runner"]
    assert 20_000 % runner["save_step"] == 0
    assert runner["max_keep"] * runner["save_step"] >= runner["total_steps"]  # none of the ten is gone in the end
    assert superb.task("ASV").procedure == "every_checkpoint"


def test_emotion_is_the_mean_of_five_folds():
    task = superb.task("ER")
    assert [get(task.part(settings("ER"), part), "downstream_expert.datarc.test_fold") for part in task.parts] == [
        f"fold{i}" for i in range(1, 6)
    ]


@pytest.mark.parametrize("name", TEN)
def test_every_key_that_depends_on_the_corpus_is_in_the_settings(name):
    from s3prl_plugin import config

    task = superb.task(name)
    packaged = config.read(config.packaged("configs", "superb", task.config))
    for dotted in (*task.corpus, *task.laid_out, *task.named):
        *parents, last = dotted.split(".")
        assert last in packaged.section(*parents), dotted
    for part in task.parts.values():
        assert all(get(packaged.data, dotted) is not None for dotted in part)


@pytest.mark.parametrize("name", TEN)
def test_one_score_is_the_headline_and_s3prl_logs_it(name):
    task = superb.task(name)
    assert sum(score.headline for score in task.scores) == 1
    logged = tags_in_source(task.downstream)
    for score in task.scores:
        if task.scorer is None or score.tag.split("/")[1].startswith(task.split):
            key = score.tag.removeprefix("ctc-").removeprefix("emotion-{part}")
            assert any(matches(key, tag) for tag in logged), (score.tag, logged)


def tags_in_source(downstream):
    """The f-strings that a downstream's expert gives to add_scalar, with * for what is filled in."""
    root = Path(importlib.util.find_spec("s3prl").submodule_search_locations[0])
    tags = []
    for node in ast.walk(ast.parse((root / "downstream" / downstream / "expert.py").read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "add_scalar":
            parts = getattr(node.args[0], "values", [])
            tags.append("".join(part.value if isinstance(part, ast.Constant) else "*" for part in parts))
    return tags


def matches(tag, pattern):
    """Whether a tag fits a pattern, whose constant parts come in this order."""
    at = 0
    for part in filter(None, pattern.replace("emotion-*", "").split("*")):
        at = tag.find(part, at)
        if at < 0:
            return False
    return True


def test_vocabularies_are_those_of_the_tasks():
    from s3prl_plugin import config

    own = config.packaged("configs", "superb", "tasks.yaml").parent
    phones = (own / "phones.txt").read_text().split()
    assert len(phones) == len(set(phones)) == 39
    assert not any(phone[-1].isdigit() for phone in phones)
    stressed = (own / "phones_stress.txt").read_text().split()
    assert len(stressed) == len(set(stressed)) == 71 == 2 + 24 + 3 * 15
    assert {phone.rstrip("012") for phone in stressed} == {*phones, "SIL", "SPN"}
    characters = (own / "characters.txt").read_text().split("\n")
    assert characters == [" ", *string.ascii_uppercase, "'", ""]
    letters = [line.split() for line in (own / "letters.txt").read_text().splitlines()]
    assert [letter for letter, _ in letters] == ["|", *string.ascii_uppercase, "'"]
