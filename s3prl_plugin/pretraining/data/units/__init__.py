"""Units that a model learns to predict: clusters of MFCC frames, or of the frames of an earlier model's layer."""
