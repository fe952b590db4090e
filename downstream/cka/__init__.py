"""Linear centred kernel alignment of layers with mel frames, each other, another model and labels."""
