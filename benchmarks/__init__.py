"""How fast this plugin is beside what it replaces: one module per subject.

A subject has `measure(settings)`, which yields `Ratio`s as they are known; `s3prl-plugin bench SUBJECT` shows them.
"""
