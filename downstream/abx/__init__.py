"""ABX discrimination of phones and words, without training."""

from s3prl_plugin.downstream.abx.error import AbxResult, abx_error

__all__ = ["AbxResult", "abx_error"]
