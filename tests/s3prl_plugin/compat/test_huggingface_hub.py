"""huggingface_hub's missing names."""

import subprocess
import sys
import textwrap
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


def test_what_brings_an_http_client_is_imported_when_it_is_used():
    code = """
    import sys, s3prl_plugin; s3prl_plugin.register()
    from s3prl import run_downstream
    from s3prl.downstream import runner
    import huggingface_hub
    print("huggingface_hub.hf_api" in sys.modules, "HfApi" in vars(huggingface_hub))
    print(type(run_downstream.HfApi()) is type(runner.HfApi(token=False)) is huggingface_hub.HfApi)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True, text=True)
    assert done.stdout == "False False\nTrue\n"
