"""A run from its command line to its end: arguments, the runner, a suite, what the user sees."""
