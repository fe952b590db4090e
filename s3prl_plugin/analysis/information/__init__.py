"""Mutual information of clusters and labels: what chance gives, intervals, and the rows that say it."""
