"""Checkpoints of hierarchical quantised autoencoders."""
