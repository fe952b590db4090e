"""Questions that compare models: rows of results go in, sections of a report come out."""
