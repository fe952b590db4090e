"""How good a choice of taps is: heads on all of them, the learning rate of each chosen on dev, and several seeds."""

from s3prl_plugin.select.verify.plan import Plan, planned
from s3prl_plugin.select.verify.training import Training, scored

__all__ = ["Plan", "Training", "planned", "scored"]
