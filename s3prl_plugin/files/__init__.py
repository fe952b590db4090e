"""Files: whole or not at all, plain values, digests, and sound as it is on disk."""
