"""Canonical correlation analysis of layers with mel frames, base layers and labels."""

from s3prl_plugin.downstream.cca.default import cross_validate, jackknife
from s3prl_plugin.downstream.cca.score import CcaScore, cca_score

__all__ = ["CcaScore", "cca_score", "cross_validate", "jackknife"]
