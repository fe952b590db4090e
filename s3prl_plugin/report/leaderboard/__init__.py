"""SUPERB scores beside those of other models."""
