"""The factorial of loss and frame rate: models grown with paired seeds, and what each of the two does to layers."""

from s3prl_plugin.questions.factorial.sections import sections
from s3prl_plugin.questions.factorial.tidy import records

__all__ = ["records", "sections"]
