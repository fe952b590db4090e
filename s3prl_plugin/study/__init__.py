"""A study: several upstreams, one after another, through the same suite."""

from s3prl_plugin.study.plan import Study, StudyUpstream, read

__all__ = ["Study", "StudyUpstream", "read"]
