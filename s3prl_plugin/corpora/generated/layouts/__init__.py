"""Folders in the layouts of the corpora that s3prl's SUPERB downstreams read: one module per published corpus.

A module has `write(corpus, folder)`, which lays any corpus out, or `generate(folder)`, where a task needs speech of its
own; and `complete(root, made)` where a task needs files that the published corpus does not come with.
"""
