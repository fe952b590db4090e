"""Words told apart without training, and how far similar words and sentences are near each other."""
