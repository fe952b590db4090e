"""The loop of pre-training: from the command line to checkpoints."""
