"""Linear probes of phones, words and speakers, in closed form."""

from s3prl_plugin.downstream.probe.linear import Probed, cross_validated

__all__ = ["Probed", "cross_validated"]
