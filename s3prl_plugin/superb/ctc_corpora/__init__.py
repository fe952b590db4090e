"""Readers of PR's and SF's corpora for s3prl's `ctc` downstream, whose own pip's s3prl comes without.

They are imported as `s3prl.downstream.ctc.corpus.libriphone` and `.snips`, under names that s3prl decides.
"""
