"""Reading corpora that exist: one reader per format."""
