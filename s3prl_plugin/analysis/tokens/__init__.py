"""Tokens of phones and words as sequences of frames: which frames they have, and how far apart two of them are."""
