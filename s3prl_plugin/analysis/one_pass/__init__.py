"""The pass over a corpus: its batches, what it gathers, and how that is saved, shared out and merged."""
