"""What may be concluded from results: which rows count, and which taps are compared."""
