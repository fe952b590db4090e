"""Two models side by side: a second upstream in the same pass, or the frames that an earlier run kept."""
