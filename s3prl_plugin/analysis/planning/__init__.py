"""What is decided before the audio is heard: folds, sessions, and which segments and labels are used."""
