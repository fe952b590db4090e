"""What a pass gathers: moments of views, means of segments, sampled frames."""
