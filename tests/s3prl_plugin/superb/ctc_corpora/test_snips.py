"""SF's corpus: the right speakers of a split, with the labels of s3prl's own encoder."""

import pytest

from s3prl_plugin import config
from s3prl_plugin.errors import UserError
from s3prl_plugin.superb.ctc_corpora.snips import SnipsDataset

OWN = config.packaged("configs", "superb", "tasks.yaml").parent
SPEAKERS = {"train_speakers": ["Ivy"], "valid_speakers": ["Amy"], "test_speakers": ["Brian", "Emma"]}
pytest.importorskip("editdistance")


@pytest.fixture
def snips(tmp_path):
    lines = []
    for name in ("Brian-snips-test-0", "Emma-snips-test-0", "Ivy-snips-test-0", "Ivy-snips-train-0"):
        file = tmp_path / name.split("-")[2] / f"{name}.wav"
        file.parent.mkdir(exist_ok=True)
        file.touch()
        lines.append(f"{name} BOS PLAY QUEEN & ADELE EOS\tO O artist artist artist PlayMusic\n")
    (tmp_path / "test" / "Emma-snips-test-9.wav").touch()  # without a transcript
    (tmp_path / "all.iob.snips.txt").write_text("".join(lines))
    (tmp_path / "slots.txt").write_text("O\nartist\ncity")
    return tmp_path


def test_only_the_splits_speakers_are_read_and_only_what_is_transcribed(snips, encoder):
    tokenizer = encoder("character-slot", OWN / "characters.txt", snips / "slots.txt")
    dataset = SnipsDataset(["test"], tokenizer, 1, str(snips), **SPEAKERS)
    assert [path.stem for path, _ in dataset.utterances] == ["Brian-snips-test-0", "Emma-snips-test-0"]
    assert tokenizer.decode(dataset.utterances[0][1]) == "PLAY B-artist QUEEN AND ADELE E-artist"


def test_what_is_missing_is_named(snips, encoder):
    tokenizer = encoder("character-slot", OWN / "characters.txt", snips / "slots.txt")
    with pytest.raises(UserError, match="valid: no such folder"):
        SnipsDataset(["valid"], tokenizer, 1, str(snips), **SPEAKERS)
    with pytest.raises(UserError, match="no transcribed utterance of Amy"):
        SnipsDataset(["train"], tokenizer, 1, str(snips), train_speakers=["Amy"])
    with pytest.raises(UserError, match="test_speakers is missing"):
        SnipsDataset(["test"], tokenizer, 1, str(snips), tests_speakers=["Amy"])
    (snips / "all.iob.snips.txt").unlink()
    with pytest.raises(UserError, match=r"all\.iob\.snips\.txt: no such file"):
        SnipsDataset(["test"], tokenizer, 1, str(snips), **SPEAKERS)
