"""Generated requests, as s3prl's slot filling reads them."""

import pytest

from s3prl_plugin import config
from s3prl_plugin.corpora.generated.layouts import snips

pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return snips.generate(tmp_path_factory.mktemp("sf") / "out")


@pytest.fixture(scope="module")
def lines(root):
    found = (line.partition(" ") for line in (root / "all.iob.snips.txt").read_text().splitlines())
    return {name: said for name, _, said in found}


def test_every_file_has_a_line_and_a_speaker_of_its_split(root, lines):
    published = config.read(config.packaged("configs", "superb", "sf.yaml")).data["downstream_expert"]["corpus"]
    for split in ("train", "valid", "test"):
        files = list((root / split).glob("*.wav"))
        assert len(files) == 2 * len(snips.REQUESTS) * len(snips.SPEAKERS[split])
        for file in files:
            assert file.stem in lines
            assert file.stem.split("-")[0] in published[f"{split}_speakers"]
    assert len(lines) == len(list(root.rglob("*.wav")))


def test_words_and_slots_are_as_many(lines):
    for said in lines.values():
        words, tags = (part.split() for part in said.split("\t"))
        assert len(words) == len(tags)
        assert (words[0], words[-1], tags[0]) == ("BOS", "EOS", "O")
        assert set(tags[1:-1]) <= {"O", *snips.SLOTS}


def test_s3prl_finds_the_slot_values(root, lines, registered):
    pytest.importorskip("editdistance")
    from s3prl.downstream.ctc.metric import parse
    from s3prl.downstream.ctc.text import load_text_encoder

    own = config.packaged("configs", "superb", "tasks.yaml").parent
    encoder = load_text_encoder("character-slot", own / "characters.txt", root / "slots.txt")
    assert encoder.vocab_size == 3 + 28 + 2 * len(snips.SLOTS)
    values = {slot: {value.upper() for value in found} for slot, found in snips.SLOTS.items()}
    for said in lines.values():
        labels = encoder.encode(said)
        assert encoder.unk_idx not in labels
        decoded = encoder.decode(labels)
        _, _, slots, _ = parse(decoded, decoded)
        found = [pair.rsplit(":", 1) for pair in slots.split(";")]
        assert found
        for value, slot in found:
            assert value in values[slot]
