"""The entries of HQA, and what they are for; reading them imports nothing else."""

ENTRIES = {
    "hqa_local": "a hierarchy of quantised autoencoders, a checkpoint of `run_pretrain -u hqa` (-k FILE)",
    "hqa_tiny": "a small one that comes with this package, trained on generated speech: for trying the software",
}
