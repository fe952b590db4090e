"""Labels and lists of files as tools leave them, for the formats of corpora."""
