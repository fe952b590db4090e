"""The feature store: what a frozen upstream makes of an utterance is computed once, kept on disk, and read afterwards.

`upstream` stands in for the upstream in a task's runner, `suite` is what a suite's runner uses.
"""
