"""Canonical correlation analysis of layers with mel frames, base layers and labels."""

from s3prl_plugin.downstream.cca.default import cross_validate, jackknife
from s3prl_plugin.downstream.cca.r2 import R2
from s3prl_plugin.downstream.cca.score import CcaScore, cca_score, r2_cca

__all__ = ["R2", "CcaScore", "cca_score", "cross_validate", "jackknife", "r2_cca"]
