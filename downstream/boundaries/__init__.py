"""Boundaries of phones and words from where neighbouring frames differ most, without training."""
