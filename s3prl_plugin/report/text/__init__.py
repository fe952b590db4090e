"""Results as text: for the terminal and for Markdown."""
