"""The versions in rows."""

import importlib.metadata

from s3prl_plugin.compat import distributions
from s3prl_plugin.states import provenance


def test_the_versions_that_numbers_rest_on():
    versions = provenance.versions()
    assert versions["s3prl"] == str(distributions.find())
    assert versions["torch"] == importlib.metadata.version("torch")
