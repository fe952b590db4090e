"""Drawings: for the page (charts, by Altair) and for papers (figures, by matplotlib)."""
