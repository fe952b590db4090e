"""Checkpoints: published, of fairseq, of s3prl, converted."""
