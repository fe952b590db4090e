"""huggingface_hub's missing names."""

import types

import pytest

from s3prl_plugin.compat import huggingface_hub
from s3prl_plugin.errors import UserError


def test_missing_names_can_be_imported_and_not_used():
    module = types.ModuleType("huggingface_hub")
    huggingface_hub._stand_in(module)
    for use in (
        lambda: module.HfFolder(),
        lambda: module.HfFolder.get_token(),
        lambda: module.HfFolder.save_token("token"),
        lambda: module.Repository(local_dir="x", clone_from="y"),
    ):
        with pytest.raises(UserError, match=r"huggingface_hub 1\.0"):
            use()
    assert not hasattr(module.HfFolder, "__wrapped__")  # inspect may look at it


def test_names_that_are_there_stay():
    module = types.ModuleType("huggingface_hub")
    module.HfFolder = own = object()
    huggingface_hub._stand_in(module)
    assert module.HfFolder is own
    assert type(module.Repository).__name__ == "_Gone"
