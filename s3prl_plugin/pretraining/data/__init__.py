"""What pre-training reads: utterances, units, batches, settings."""
