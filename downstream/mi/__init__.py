"""Mutual information of clusters of a layer's states with phone and word labels."""

from s3prl_plugin.analysis.information.mutual_information import Information, mutual_information

__all__ = ["Information", "mutual_information"]
