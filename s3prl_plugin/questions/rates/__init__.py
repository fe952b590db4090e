"""Rate against content in a report: what codes and k-means units tell at how many bits per second."""

from s3prl_plugin.questions.rates.sections import sections

__all__ = ["sections"]
