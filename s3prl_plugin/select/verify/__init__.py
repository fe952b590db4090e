"""How good a choice of taps is: heads on all of them, the learning rate of each chosen on dev, and several seeds."""

from s3prl_plugin.select.verify.plan import Plan, planned
from s3prl_plugin.select.verify.training import VerifyTraining, scored

__all__ = ["Plan", "VerifyTraining", "planned", "scored"]
