"""A packaged study whose checkpoints are named on the command line."""

import pytest

from s3prl_plugin.config import packaged
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import arguments
from s3prl_plugin.upstream.mr_hubert import small

KEY = "config.study.upstreams.grown.checkpoints"


@pytest.mark.parametrize("name", ["trajectory.yaml", "factorial.yaml"])
def test_where_checkpoints_lie(tmp_path, name):
    small.write_random_checkpoint(tmp_path / "checkpoint_5.pt", small.small_config(dim=16, layers=(1, 1, 1)))
    path = packaged("configs", "suite", name)
    config = arguments.check_config(path, "suite", f"{KEY}={tmp_path}/checkpoint_*.pt,,config.runner.x=1")
    assert config.data["study"]["upstreams"]["grown"]["checkpoints"] == f"{tmp_path}/checkpoint_*.pt"
    assert "runner" not in config.data
    with pytest.raises(UserError, match=r"line \d+: study\.upstreams\.grown\.checkpoints: no file matches"):
        arguments.check_config(path, "suite", f"{KEY}={tmp_path}/other_*.pt")
    with pytest.raises(UserError, match="unknown key 'checkpoint_s'"):
        arguments.check_config(
            path, "suite", f"{KEY}={tmp_path}/checkpoint_*.pt,,config.study.upstreams.grown.checkpoint_s=x"
        )
