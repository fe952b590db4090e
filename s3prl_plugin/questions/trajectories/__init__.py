"""How layers change during pre-training, from analyses of its checkpoints (`study.upstreams.NAME.checkpoints`)."""

from s3prl_plugin.questions.trajectories.sections import sections

__all__ = ["sections"]
