"""Pre-training: speech with the units that a model learns to predict, and the loop that trains it."""
