"""Pre-training of hierarchical quantised autoencoders."""
