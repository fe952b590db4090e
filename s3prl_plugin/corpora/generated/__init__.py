"""Making speech with labels, and the folders that SUPERB's recipes expect."""
