"""Make the excerpt in this folder from the full set of oracles: `python excerpt.py ORACLES/mr_hubert/t2res`."""

import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
HEADS = ("final_projs.", "label_embs_concat.", "mask_emb")
TASK = ("_name", "label_rate", "label_rate_ratios", "sample_rate", "normalize")  # the rest are paths and batch sizes
STATES = ("single16321/", "single16000/", "batch/")


class _Dictionary:
    """Takes the place of fairseq's dictionary of labels, which the excerpt does not need."""

    def __setstate__(self, state: object) -> None:
        pass


def main(source: Path) -> None:
    """Write checkpoint.pt, without prediction heads, and states.npz, the states of three inputs."""
    with torch.serialization.safe_globals([(_Dictionary, "fairseq.data.dictionary.Dictionary")]):
        whole = torch.load(source / "checkpoint.pt", weights_only=True)
    content = {
        "args": None,
        "cfg": {"model": whole["cfg"]["model"], "task": {key: whole["cfg"]["task"][key] for key in TASK}},
        "model": {name: tensor for name, tensor in whole["model"].items() if not name.startswith(HEADS)},
        "criterion": None,
        "optimizer_history": whole["optimizer_history"],
        "task_state": {},
        "extra_state": {},
    }
    torch.save(content, HERE / "checkpoint.pt")
    arrays = np.load(source / "oracle.npz")
    kept = [name for name in arrays.files if name.startswith(STATES)]
    kept += ["wav16000", "wav16321", "batchwav0", "batchwav1", "batchwav2"]
    np.savez_compressed(HERE / "states.npz", **{name: arrays[name] for name in kept})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
