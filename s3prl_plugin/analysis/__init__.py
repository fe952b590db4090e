"""What analysis downstreams share: the plan of a corpus, one pass over States, statistics, folds and intervals."""
